"""In whatever pieces a page's messages come: what may pass does, whole and in order; what may not leaves no byte; nothing else is known."""

from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.desktops import greeting, messages
from labctl.drivers import rfb

U8, U16, U32 = st.integers(0, 0xFF), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)
BODY = st.binary(max_size=300)


def _of(kind, *parts):
    return st.tuples(*parts).map(lambda found: (kind, bytes([kind]) + b"".join(found)))


def _packed(form, *values):
    return st.tuples(*values).map(lambda found: struct.pack(form, *found))


def _screens(number):
    return st.binary(min_size=16 * number, max_size=16 * number).map(lambda body: bytes([0, 2, 0, 1, 0, number, 0]) + body)


MESSAGE = st.one_of(
    _of(0, st.binary(min_size=19, max_size=19)),
    _of(2, st.lists(U32, max_size=40).map(lambda found: struct.pack(f">xH{len(found)}I", len(found), *found))),
    _of(3, st.binary(min_size=9, max_size=9)),
    _of(4, st.binary(min_size=7, max_size=7)),
    _of(5, _packed(">BHH", st.integers(0, 0x7F), U16, U16)),
    _of(5, _packed(">BHHB", st.integers(0x80, 0xFF), U16, U16, U8)),
    _of(6, BODY.map(lambda body: bytes(3) + struct.pack(">i", len(body)) + body)),
    _of(6, BODY.map(lambda body: bytes(3) + struct.pack(">i", -len(body)) + body)),
    _of(150, st.binary(min_size=9, max_size=9)),
    _of(248, st.tuples(U32, st.binary(max_size=64)).map(lambda found: struct.pack(">3xIB", found[0], len(found[1])) + found[1])),
    _of(250, st.binary(min_size=3, max_size=3)),
    _of(
        251,
        st.integers(0, 4).flatmap(
            lambda n: st.binary(min_size=16 * n, max_size=16 * n).map(lambda body, n=n: bytes([0, 2, 0, 1, 0, n, 0]) + body)
        ),
    ),
    _of(255, st.binary(min_size=10, max_size=10).map(lambda body: b"\0" + body)),
)


def pieces(data, cuts):
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[begin:end] for begin, end in itertools.pairwise(edges)]


@given(st.lists(MESSAGE, max_size=12), st.lists(st.integers(0, 10_000), max_size=12), st.booleans(), st.booleans())
def test_exactly_what_may_pass_passes_in_whatever_pieces_it_comes(said, cuts, acts, sizes):
    gate = messages.Gate()
    passed = b"".join(gate.feed(piece, acts=acts, sizes=sizes) for piece in pieces(b"".join(data for _, data in said), cuts))
    may = messages.SEES | (messages.ACTS if acts else frozenset()) | (messages.SIZES if sizes else frozenset())
    assert passed == b"".join(data for kind, data in said if kind in may)


@given(st.binary(max_size=2000), st.lists(st.integers(0, 10_000), max_size=12))
def test_whatever_comes_a_viewer_who_may_not_act_sends_only_messages_that_show(data, cuts):
    gate, passed = messages.Gate(), b""
    try:
        for piece in pieces(data, cuts):
            passed += gate.feed(piece, acts=False, sizes=False)
    except messages.NotUnderstood:
        pass
    # Read once more by a gate that lets everything through: it finds nothing that acts.
    again = messages.Gate()
    assert again.feed(passed, acts=True, sizes=True) == messages.Gate().feed(passed, acts=False, sizes=False)


@given(st.sampled_from(sorted(set(range(256)) - {0, 2, 3, 4, 5, 6, 150, 248, 250, 251, 255})), st.lists(MESSAGE, max_size=3))
def test_a_message_that_nobody_knows_ends_it(kind, before):
    gate = messages.Gate()
    gate.feed(b"".join(data for _, data in before), acts=True, sizes=True)
    with pytest.raises(messages.NotUnderstood):
        gate.feed(bytes([kind]), acts=True, sizes=True)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\x01\x00\x00",  # QEMU audio
        b"\x02\x00\x04\x01",  # 1,025 encodings
        b"\x06\0\0\0" + struct.pack(">i", messages.CLIPBOARD_MOST + 1),
        b"\x06\0\0\0" + struct.pack(">i", -messages.CLIPBOARD_MOST - 1),
        b"\x06\0\0\0" + struct.pack(">i", -(2**31)),
    ],
)
def test_what_is_too_large_or_of_an_unknown_kind_ends_it(data):
    with pytest.raises(messages.NotUnderstood):
        messages.Gate().feed(data, acts=False, sizes=False)


def test_a_message_that_began_while_its_sender_only_watched_does_not_pass_when_they_may_act():
    gate = messages.Gate()
    key = struct.pack(">BBxxI", 4, 1, 0x61)
    assert gate.feed(key[:3], acts=False, sizes=False) == b""
    assert gate.feed(key[3:] + key, acts=True, sizes=False) == key


def test_nobody_switches_a_machine_off_by_rfb():
    assert messages.Gate().feed(b"\xfa\x00\x01\x02", acts=True, sizes=True) == b""


INIT = rfb.Init(4, 3, struct.pack(">HH", 4, 3) + bytes(16) + struct.pack(">I", 3) + b"box")


@given(st.lists(st.integers(0, 10_000), max_size=12), st.binary(max_size=20), st.sampled_from([b"\0", b"\1"]))
def test_the_greeting_is_the_same_in_whatever_pieces_it_comes(cuts, behind, shared):
    greeted, said, rest = greeting.Greeting(INIT), b"", b""
    for piece in pieces(rfb.VERSION + b"\1" + shared + behind, cuts):
        if greeted.done:
            rest += piece
        else:
            said += greeted.feed(piece)
            rest += greeted.rest
    assert said == b"\1\1" + bytes(4) + INIT.raw
    assert rest == behind


@pytest.mark.parametrize("said", [b"RFB 003.003\n", b"GET / HTTP/1.1\r\n", b"RFB 003.008\n\2", b"RFB 003.008\n\1\7"])
def test_who_does_not_greet_so_is_no_viewer(said):
    with pytest.raises(greeting.NotUnderstood):
        greeting.Greeting(INIT).feed(said)
