"""How a call is refused: the few exceptions a handler may raise, with Proxmox's own texts and codes.

Nothing here knows of HTTP; `http` turns a refusal into a status line and a body (`proxmox-truth.md` 3.1).
"""

from __future__ import annotations

from typing import NoReturn


class Refused(Exception):
    """An answer that is not 200. `errors` maps parameters to texts (400 only)."""

    def __init__(self, status: int, message: str, errors: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors

    def as_task_error(self) -> str:
        """What a worker that dies of this writes behind `TASK ERROR: ` (its status stands in front of raised exceptions)."""
        text = self.message.rstrip("\n")
        if self.status == 500:
            return text
        lines = [f"{self.status} {text}", *(f"{key}: {value.rstrip()}" for key, value in sorted((self.errors or {}).items()))]
        return "\n".join(lines)


class NotBuilt(Refused):
    """The method exists in Proxmox but not in this node. Same words as an unknown path, so that no client takes it for done."""

    def __init__(self, method: str, path: str) -> None:
        super().__init__(501, f"Method '{method} {path}' not implemented")


def die(text: str) -> NoReturn:
    """Perl's `die` with a newline at the end: status 500."""
    raise Refused(500, text + "\n")


def die_at(text: str) -> NoReturn:
    """Perl's `die "..."` without the newline: Perl adds where it happened (`proxmox-truth.md` 3.1)."""
    raise Refused(500, f"{text} at /usr/share/perl5/PVE/Sandbox.pm line 1.\n")


def bad(**errors: str) -> NoReturn:
    """400 with one text per parameter."""
    raise Refused(400, "Parameter verification failed.\n", errors)


def bad_params(errors: dict[str, str]) -> NoReturn:
    """400 for parameters whose names are not Python names."""
    raise Refused(400, "Parameter verification failed.\n", errors)


def forbid(reason: str = "") -> NoReturn:
    """403; `reason` is "path, privileges" or nothing."""
    raise Refused(403, f"Permission check failed ({reason})\n" if reason else "Permission check failed\n")
