"""How many environments are worked at at once follows the cluster, unless it is set."""

from __future__ import annotations

import pytest

from labctl import settings, wiring
from labctl.model import site


def wired(tmp_path, nodes, **chosen):
    templates = tuple(site.Template(node=f"pve{number}", vmid=9000 + number) for number in range(nodes))
    cluster = site.Cluster(secret_file="none", ca_file="none")
    where = site.Site(cluster=cluster, images={"debian-12": site.Image(container=templates, vm=templates[:1])})
    return wiring.Wiring(settings.Settings(home=tmp_path, **chosen), site=where)


@pytest.mark.parametrize(("nodes", "workers"), [(1, 16), (4, 16), (5, 20), (16, 64)])
def test_four_for_each_node_and_sixteen_at_least(tmp_path, nodes, workers):
    made = wired(tmp_path, nodes)
    assert (made.workers, made.places) == (workers, workers // 2)


def test_what_is_set_is_kept_and_no_process_is_left_without_a_place(tmp_path):
    made = wired(tmp_path, 16, workers=3, processes=2)
    assert (made.workers, made.places) == (3, 2)
    assert wired(tmp_path, 16, workers=1, processes=4).places == 1


def test_without_a_site_it_is_the_least(tmp_path):
    assert wiring.Wiring(settings.Settings(home=tmp_path)).workers == 16
