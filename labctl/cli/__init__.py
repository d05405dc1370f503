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

import typer

from labctl import errors
from labctl.cli import blueprints, classes, demo, engines, machine, sandbox, screen, shell, tokens

_EPILOG = (
    "Exit codes: 0 done · 1 refused or failed (the message says why) · 2 the command line is wrong · "
    "3 not possible just now, try again · 130 interrupted."
)

app = typer.Typer(
    name="labctl",
    help="""Turn a lab blueprint into a class of working machines, and take it all away again.

    Start with `labctl demo`, or step by step:

    [bold]labctl up[/] · start labctl on this machine\n
    [bold]labctl blueprint list[/] · the courses there are\n
    [bold]labctl class open linux-first-steps --name monday --roster roster.csv --wait[/]\n
    [bold]labctl ssh monday 1[/] · lands in the first learner's machine\n
    [bold]labctl class close monday[/] · removes everything and shows that nothing is left
    """,
    epilog=_EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
)
machine.add_to(app)
app.add_typer(blueprints.app, name="blueprint")
app.add_typer(classes.app, name="class")
shell.add_to(app)
app.add_typer(tokens.app, name="token")
app.add_typer(engines.app, name="engine")
sandbox.add_to(app)
demo.add_to(app)


def main() -> None:
    """The console script."""
    try:
        app()
    except errors.LabctlError as error:
        screen.complain(error)
        sys.exit(screen.exit_code(error))
    except KeyboardInterrupt:
        sys.exit(130)
