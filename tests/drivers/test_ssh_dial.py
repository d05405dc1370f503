"""How a guest's sshd is met: soon after it is there, and without waits that only the two kernels would see."""

from __future__ import annotations

import socket
import time

import pytest

from labctl.drivers import ssh_dial


@pytest.fixture
def listening():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_an_answer_to_what_was_said_is_acknowledged_at_once(listening):
    """The kernel puts acknowledgements off as soon as both sides talk in turn, which the option then reads as 0."""
    with ssh_dial.dial("127.0.0.1", listening.getsockname()[1], time.monotonic() + 60) as ours, listening.accept()[0] as theirs:
        for _turn in range(4):
            theirs.sendall(b"told")
            assert ours.recv(4) == b"told"
            assert ours.send(b"asked") == 5
            assert theirs.recv(5) == b"asked"
            assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK) == 1


def test_what_is_dialled_keeps_no_small_packets_back_and_its_waits_have_an_end(listening):
    with ssh_dial.dial("127.0.0.1", listening.getsockname()[1], time.monotonic() + 60) as ours:
        assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        assert ours.gettimeout() is not None


def test_a_guest_is_met_a_twentieth_later_than_it_could_be_and_one_that_is_away_is_dialled_seldom():
    waited, dials = 0.0, 0
    while waited < 90:
        patient = ssh_dial.patience(waited)
        assert 0.1 <= patient <= min(0.1 + waited / 20, 2.0)
        waited, dials = waited + patient, dials + 1
    assert dials < 100
