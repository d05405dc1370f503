"""Whose shell it is: whoever comes to type at one leaves a mark on its tmux session, over the one that was there.

So a page that was away for a moment knows whether the same shell is there again and nobody else came to type in it: what was typed
meanwhile may be sent then, and never to anything else. A session that begins anew has no mark, and no mark is met twice.
"""

from __future__ import annotations

import re
import secrets

MARK = re.compile("[0-9a-f]{16}")


def new() -> str:
    """One that nobody has."""
    return secrets.token_hex(8)
