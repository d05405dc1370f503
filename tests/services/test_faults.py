"""A fault file for a run: its mistakes are said before anything starts, and only labctl's own node is ever given faults."""

from __future__ import annotations

import pytest

from labctl import errors, settings
from labctl.drivers import site_file
from labctl.services import faults, node
from tests.infra import node_plans
from tests.node_here import NodeHere

RIGHT = "version: 1\nfaults:\n  - {call: GET /version, do: slow}\n"


def home(tmp_path, text=None):
    file = None
    if text is not None:
        file = tmp_path / "mine.yaml"
        file.write_text(text)
    return settings.Settings(home=tmp_path / "home", faults=file)


def test_without_a_file_there_is_nothing_to_do(tmp_path):
    faults.check(home(tmp_path))
    faults.follow(home(tmp_path))


def test_mistakes_come_with_file_line_and_column(tmp_path):
    with pytest.raises(errors.BadInput, match="nothing was started") as wrong:
        faults.check(home(tmp_path, "version: 1\nfaults:\n  - {call: GET /version, do: slwo}\n"))
    (complaint,) = wrong.value.complaints
    assert str(complaint) == f"{tmp_path / 'mine.yaml'}:3:30: there is no fault 'slwo'; did you mean 'slow'?"
    assert not (tmp_path / "home").exists()


def test_a_file_that_is_not_there_is_said(tmp_path):
    chosen = settings.Settings(home=tmp_path / "home", faults=tmp_path / "none.yaml")
    with pytest.raises(errors.BadInput, match=r"none\.yaml cannot be used: .*No such file"):
        faults.check(chosen)


def test_the_node_of_the_home_is_given_the_file_and_status_says_so(tmp_path):
    chosen = home(tmp_path, RIGHT)
    node.home(chosen).parent.mkdir(parents=True)
    with NodeHere(node.home(chosen).parent) as running:
        running.home.rename(node.home(chosen))
        faults.check(chosen)
        faults.follow(chosen)
        assert (node.home(chosen) / "faults.yaml").read_text() == RIGHT
        assert node.status(chosen)["faults"] is True


def test_a_real_cluster_is_given_none(tmp_path):
    chosen = home(tmp_path, RIGHT)
    chosen.home.mkdir()
    with NodeHere(tmp_path) as elsewhere:
        site_file.write(chosen.site_file, node_plans.site(elsewhere))
        with pytest.raises(errors.BadInput, match="a real one is given none"):
            faults.check(chosen)
