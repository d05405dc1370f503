"""What runs in a guest for a terminal: tmux, so that the shell and its screen outlive every connection (`access.md` 3.1).

tmux is hidden: no prefix, no keys, no status line. Options are set on the command line at each attachment, so nothing has to be written
into guests. Where a guest has no tmux the learner gets a plain login shell, which ends with its connection.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from labctl.model import viewing

PROBE = "command -v tmux"
"""Exit status 0 where the guest has tmux."""

PLAIN: str | None = None
"""A login shell, as sshd starts it."""

_TMUX = ("env", "LANG=C.UTF-8", "tmux", "-u", "-L", "labctl", "-f", "/dev/null")

_MARK = "@labctl"

_OPTIONS: Sequence[Sequence[str]] = (
    ("set", "-g", "default-terminal", "tmux-256color"),
    ("set", "-g", "prefix", "None"),
    ("set", "-g", "prefix2", "None"),
    ("set", "-g", "mouse", "off"),
    ("set", "-g", "status", "off"),
    ("set", "-s", "escape-time", "0"),
    ("set", "-g", "history-limit", "20000"),
    ("set", "-g", "window-size", "latest"),
    ("set", "-g", "focus-events", "on"),
    # What a program in a guest prints must not reach the clipboard of a trainer who watches.
    ("set", "-s", "set-clipboard", "off"),
    # The browser keeps a scrollback of its own, so there is no alternate screen around everything.
    ("set", "-g", "terminal-overrides", ",xterm*:smcup@:rmcup@"),
    # So that learners may use a tmux of their own inside.
    ("set", "-g", "default-command", 'unset TMUX TMUX_PANE; exec "${SHELL:-/bin/bash}" -l'),
)


def command(mode: viewing.Mode, *, keeps: bool, mark: str = "") -> str | None:
    """For a guest's shell; None for a plain login shell, which can be neither watched nor joined. `mark`: what whoever comes to type leaves
    on the session.
    """
    if not keeps:
        return PLAIN
    marking = f" {shlex.join([';', 'set', '-t', 'main', _MARK, mark])}" if mark and mode is not viewing.Mode.WATCH else ""
    if mode is viewing.Mode.OWN:
        return f"exec {_made('new-session', '-A', '-s', 'main')}{marking}"
    flags = "ignore-size,read-only" if mode is viewing.Mode.WATCH else "ignore-size"
    # Where the learner was never at this machine there is nothing to see yet: their shell is begun for them.
    there, begin = shlex.join([*_TMUX, "has-session", "-t", "main"]), _made("new-session", "-d", "-s", "main")
    return f"{there} 2>/dev/null || {begin}; exec {shlex.join([*_TMUX, 'attach-session', '-t', 'main', '-f', flags])}{marking}"


def marked(mark: str) -> str:
    """Exit status 0 where the session has that mark."""
    return f'[ "$({shlex.join([*_TMUX, "show", "-qv", "-t", "main", _MARK])})" = {shlex.quote(mark)} ]'


def _made(*verb: str) -> str:
    words = [*_TMUX, "start-server"]
    for option in (*_OPTIONS, verb):
        words += [";", *option]
    return shlex.join(words)
