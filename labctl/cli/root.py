"""The whole command line: every group of verbs joined."""

from __future__ import annotations

import logging

import typer

from labctl.cli import accounts, blueprints, classes, codes, demo, engines, goldens, machine, sandbox, seats, shell, tokens

# Standard error is for the person who asked; what drivers log (tries, say) is for the log files of the services.
logging.getLogger("stamina").setLevel(logging.ERROR)

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
assert seats.app is classes.app, "its verbs are on the same command"
app.add_typer(classes.app, name="class")
app.add_typer(goldens.app, name="golden")
shell.add_to(app)
codes.add_to(app)
app.add_typer(tokens.app, name="token")
app.add_typer(accounts.app, name="account")
app.add_typer(accounts.invite, name="invite")
app.add_typer(engines.app, name="engine")
sandbox.add_to(app)
demo.add_to(app)
