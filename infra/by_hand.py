"""For people who run the CLI by hand on a stack that labctl made. Nothing of labctl itself calls this.

    cd HOME/state/project
    export LABCTL_HOME=HOME PULUMI_BACKEND_URL=file://HOME/state PULUMI_CONFIG_PASSPHRASE_FILE=HOME/secrets/pulumi-passphrase
    PATH=VENV/bin:$PATH pulumi preview --stack organization/labctl/ENVIRONMENT         (also up, refresh, destroy)

The program comes from `HOME/state/ENVIRONMENT.program.json`, which labctl writes at each build and which holds no secret;
the provider is `pulumi-resource-labctl`, installed with labctl into VENV/bin, which reads the site and the token from
LABCTL_HOME. Needs the CLI's Python language plugin, which comes with the vendor's CLI. The passphrase file is made at the first use
of the real engine; before that any file will do, for no stack holds a secret.
"""

from __future__ import annotations

from pathlib import Path

import pulumi

from infra import program


def run() -> None:
    """The program of the stack that the CLI has selected; called in the project's folder."""
    file = Path.cwd().parent / f"{pulumi.get_stack()}.program.json"
    if not file.exists():
        raise pulumi.RunError(f"labctl has built nothing under the name {pulumi.get_stack()}: there is no {file}")
    program.register(program.Program.load(file.read_text(encoding="utf-8")))
