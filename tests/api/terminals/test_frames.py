"""What a page may say is understood or refused, never anything else; sizes are clamped."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.terminals import frames, shells
from labctl.model import viewing

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["ticket", "size", "ack", "x"]), inner, max_size=3),
    max_leaves=8,
)


@given(st.text(max_size=200) | JSON.map(json.dumps))
def test_every_text_is_understood_or_refused(text):
    for read in (frames.first, frames.later):
        try:
            said = read(text)
        except frames.NotUnderstood:
            continue
        size = said if isinstance(said, frames.Size) else getattr(said, "size", frames.Size())
        assert frames.LEAST <= size.columns <= frames.MOST
        assert frames.LEAST <= size.rows <= frames.MOST


@pytest.mark.parametrize(("asked", "given_"), [([80, 24], (80, 24)), ([0, 0], (2, 2)), ([-5, 10**30], (2, 500)), ([501, 500], (500, 500))])
def test_sizes_are_clamped(asked, given_):
    assert frames.later(json.dumps({"size": asked})) == frames.Size(*given_)


@pytest.mark.parametrize("asked", [[80], [80, 24, 1], ["80", "24"], [80.0, 24], [True, True], None, 80, {}])
def test_what_is_no_size_is_refused(asked):
    with pytest.raises(frames.NotUnderstood):
        frames.later(json.dumps({"size": asked}))


def test_deep_nesting_is_refused():
    with pytest.raises(frames.NotUnderstood):
        frames.first("[" * 60_000)


def test_an_acknowledgement_never_counts_backwards():
    assert frames.later('{"ack": -7}') == frames.Ack(0)


def test_what_a_newer_page_may_say_is_passed_over():
    assert frames.later('{"colour": "green"}') is None


def test_a_watcher_is_read_only_in_the_guest_as_well():
    assert "ignore-size,read-only" in shells.command(viewing.Mode.WATCH, keeps=True)
    assert "read-only" not in shells.command(viewing.Mode.JOIN, keeps=True)
    assert shells.command(viewing.Mode.OWN, keeps=False) is None
