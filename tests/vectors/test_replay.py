"""The recorded answers of Proxmox's own code, replayed over HTTPS: nowhere kinder, and no fewer agreements than reached."""

import json

import pytest

from tests.vectors import compare, replay

AGREED = 3562
"""What was reached when this was last raised; it may only go up."""


@pytest.fixture(scope="module")
def outcomes():
    fixtures, vectors = replay.vectors()
    return replay.replay(vectors, fixtures)


def test_the_node_is_nowhere_kinder_than_proxmox(outcomes):
    kinder = [f"{one.vector['id']}: {one.why}" for one in outcomes if one.kind == replay.KINDER]
    assert kinder == []


def test_no_fewer_vectors_agree_than_before(outcomes):
    assert sum(one.kind == replay.AGREE for one in outcomes) >= AGREED


def test_each_disagreement_has_its_reason(outcomes):
    known = replay.reasons()
    unexplained = [f"{one.vector['id']}: {one.why}" for one in outcomes if one.kind == replay.DISAGREE and not replay.reason_of(one, known)]
    assert unexplained == []


def test_the_report_ends_with_the_totals(outcomes, capsys):
    totals = replay.report(outcomes, show=False)
    assert sum(totals.values()) == len(outcomes)
    json.dumps(totals)
    assert "params" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("expected", "got", "same"),
    [
        ("UPID:pve1:<pid>:<pstart>:<time>:qmstart:100:root@pam:", "UPID:pve1:0000A:1F:6B028A01:qmstart:100:root@pam:", True),
        ("UPID:pve1:<pid>:<pstart>:<time>:qmstart:100:root@pam:", "UPID:pve1:0000A:1F:6B028A01:qmstop:100:root@pam:", False),
        ("a\nb\n", "b\na\n", True),
        ("<sha1>", "0" * 40, True),
        ("<sha1>", "short", False),
        ([{"a": 1}, {"a": 2}], [{"a": 2}, {"a": 1}], True),
        ([{"a": 1}], [{"a": 1}, {"a": 2}], False),
        ({"a": 1}, {"a": "1"}, False),
        ({"content": "iso,images"}, {"content": "images,iso"}, True),
    ],
)
def test_the_comparison_can_say_no(expected, got, same):
    assert compare.value(expected, got) is same
