"""The handshake with a page: it finds a desktop without a password, for its ticket was shown before. Values only, no I/O."""

from __future__ import annotations

from labctl.drivers import rfb


class NotUnderstood(ValueError):
    """This is no viewer of RFB 3.8."""


class Greeting:
    """Feed it what the page sends until `done`; `rest` is what came behind. Whether the page wants to share the desktop is not asked:
    nobody who comes sends others away.
    """

    first = rfb.VERSION
    """What is said before anything came."""

    def __init__(self, init: rfb.Init) -> None:
        # Bytes awaited -> what is said when they came.
        self._steps = [(len(rfb.VERSION), bytes([1, rfb.NONE])), (1, bytes(4)), (1, init.raw)]
        self._wanted = [{rfb.VERSION}, {bytes([rfb.NONE])}, {b"\0", b"\1"}]
        self._got = bytearray()
        self.rest = b""

    @property
    def done(self) -> bool:
        """Whether messages follow."""
        return not self._steps

    def feed(self, data: bytes) -> bytes:
        """What is to be answered. Raises NotUnderstood."""
        self._got += data
        said = b""
        while self._steps and len(self._got) >= self._steps[0][0]:
            size, answer = self._steps.pop(0)
            if bytes(self._got[:size]) not in self._wanted.pop(0):
                raise NotUnderstood("no viewer of RFB 3.8")
            del self._got[:size]
            said += answer
        if self.done:
            self.rest = bytes(self._got)
            self._got.clear()
        return said
