"""What a page says to a desktop, message by message (RFC 6143 7.5 and its registry), and what of it passes. Values only, no I/O.

Who may not act sees: only what chooses how the picture is sent goes through. All other messages of known length are swallowed; one that
is not known ends the connection, for nobody could say where the next begins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

SEES = frozenset({0, 2, 3, 150, 248})
"""SetPixelFormat, SetEncodings, FramebufferUpdateRequest, EnableContinuousUpdates, Fence."""
ACTS = frozenset({4, 5, 6, 255})
"""Keys, pointer, clipboard, keys by QEMU's numbers."""
SIZES = frozenset({251})
"""SetDesktopSize: whose desktop it is only."""
# Never passed: 250, which asks a hypervisor to switch the machine off.

ENCODINGS_MOST = 1024
CLIPBOARD_MOST = 1024 * 1024
"""Bytes of a clipboard that are passed on."""


class NotUnderstood(ValueError):
    """A message nobody knows, or one that is too large."""


def _encodings(head: bytes) -> int:
    number = int.from_bytes(head[2:4])
    if number > ENCODINGS_MOST:
        raise NotUnderstood("too many encodings")
    return 4 + 4 * number


def _clipboard(head: bytes) -> int:
    # Negative: the extended clipboard, whose length it is without its sign.
    length = abs(int.from_bytes(head[4:8], signed=True))
    if length > CLIPBOARD_MOST:
        raise NotUnderstood("too large a clipboard")
    return 8 + length


def _qemu(head: bytes) -> int:
    if head[1] != 0:
        raise NotUnderstood("unknown QEMU message")
    return 12


_Length = tuple[int, Callable[[bytes], int]]
_LENGTHS: Mapping[int, _Length] = {
    0: (1, lambda _: 20),
    2: (4, _encodings),
    3: (1, lambda _: 10),
    4: (1, lambda _: 8),
    # Bit 7 of the mask says that one more byte of buttons follows.
    5: (2, lambda head: 7 if head[1] & 0x80 else 6),
    6: (8, _clipboard),
    150: (1, lambda _: 10),
    248: (9, lambda head: 9 + head[8]),
    250: (1, lambda _: 4),
    251: (7, lambda head: 8 + 16 * head[6]),
    255: (2, _qemu),
}
"""Type -> bytes that tell the length, and how."""


class Gate:
    """Takes what a page sends, in whatever pieces, and returns what passes. A message passes or not as it begins."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._left = 0
        self._passing = False

    def feed(self, data: bytes, *, acts: bool, sizes: bool) -> bytes:
        """`acts`: keys, pointer and clipboard pass; `sizes`: the desktop's size too. Raises NotUnderstood."""
        passed = bytearray()
        at = 0
        while at < len(data):
            if self._left:
                piece = data[at : at + self._left]
                if self._passing:
                    passed += piece
                self._left -= len(piece)
                at += len(piece)
                continue
            self._head.append(data[at])
            at += 1
            kind = self._head[0]
            if kind not in _LENGTHS:
                raise NotUnderstood(f"unknown message {kind}")
            needed, length = _LENGTHS[kind]
            if len(self._head) < needed:
                continue
            self._passing = kind in SEES or (acts and kind in ACTS) or (sizes and kind in SIZES)
            self._left = length(bytes(self._head)) - needed
            if self._passing:
                passed += self._head
            self._head.clear()
        return bytes(passed)
