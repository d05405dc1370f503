"""The command line: parse, hand over, translate. One file per group of verbs; `main` is the console script.

Exit codes, the same for every command:
    0    done
    1    refused or failed; the message says why and what to do
    2    the command line itself is wrong (an unknown option, a missing argument)
    3    not possible just now: something does not answer or is busy; try again
    130  interrupted with Ctrl-C
"""

from __future__ import annotations

import sys


def main() -> None:
    """The console script."""
    try:
        # Inside, so that Ctrl-C while modules are still being read ends quietly too.
        from labctl.cli import root

        root.app()
    except KeyboardInterrupt:
        sys.exit(_interrupted())
    except SystemExit as end:
        if end.code == 130:
            _interrupted()
        raise
    except Exception as error:
        from labctl.cli import screen

        told = screen.plain(error)
        if told is None:
            raise
        screen.complain(told)
        sys.exit(screen.exit_code(told))


def _interrupted() -> int:
    sys.stderr.write("\nInterrupted. Nothing is lost: the same command again goes on from what is there.\n")
    return 130
