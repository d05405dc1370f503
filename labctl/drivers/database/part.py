"""What each part of the store is made of: one connection, one seal, one clock."""

from __future__ import annotations

from labctl import ports
from labctl.drivers.database import connection, decoded, sealing
from labctl.model.classroom import Seat
from labctl.model.environment import Environment


class Part:
    """One port's worth of the store. `Database` joins the parts and sets these."""

    _connection: connection.Connection
    _seal: sealing.Seal
    _clock: ports.Clock
    _environments: decoded.Decoded[Environment]
    _bare_environments: decoded.Decoded[Environment]
    _seats: decoded.Decoded[Seat]
