"""The real engine: one `pulumi` process per update, our program served to it, our provider attached to it.

Not the Automation API's `up`, which runs four processes for one update (`pulumi.md`, trap 8), but one process of our own,
which can also be signalled. All traps of the environment are set in one place, `_environment`.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import tempfile
from pathlib import Path

from infra import program as program_
from infra import project, servicer, state
from infra import provider as provider_
from infra.engines import engine, events, language
from infra.work import Work
from labctl import errors

_GRACE = 600.0
"""Seconds that a CLI gets after SIGINT: it waits for the resources at work, whose waits `Cancel` cuts short."""


class Pulumi:
    """`command` is the CLI; `passphrase_file` (mode 600) opens the stacks' secrets provider, though no stack holds a secret."""

    name = "pulumi"

    def __init__(self, backend: state.Backend, command: Path, passphrase_file: Path, make: engine.MakeProvider = provider_.Labctl) -> None:
        self._make = make
        self._backend = backend
        self._command = command
        self._passphrase_file = passphrase_file
        self._project = project.folder(backend)
        _ensure_passphrase(passphrase_file)

    def up(self, program: program_.Program, work: Work) -> engine.Outcome:
        """See `engine.Engine`."""
        self._backend.ensure(program.stack)
        with language.served(program) as port:
            return self._run(
                ["up", "--refresh", "--skip-preview", f"--client=127.0.0.1:{port}", "--exec-kind", "auto.inline"], program.stack, work
            )

    def destroy(self, stack: str, work: Work) -> engine.Outcome:
        """See `engine.Engine`."""
        self._backend.ensure(stack)
        with language.served(program_.Program(stack)) as port:
            return self._run(["destroy", "--skip-preview", f"--client=127.0.0.1:{port}", "--exec-kind", "auto.inline"], stack, work)

    def recover(self, stack: str) -> None:
        """See `engine.Engine`. Pending creates go too: our create adopts what they may have made."""
        self._backend.break_dead_locks(stack)
        latest = self._backend.load(stack)
        if latest.pop("pending_operations", None):
            self._backend.save(stack, latest)

    def _run(self, arguments: list[str], stack: str, work: Work) -> engine.Outcome:
        outcome = engine.Outcome()
        with tempfile.TemporaryDirectory(prefix="labctl-pulumi-") as folder, servicer.served(self._make(work)) as port:
            log, said = Path(folder, "events"), Path(folder, "said")
            command = [
                str(self._command), *arguments, "--yes", "--non-interactive", "--color=never",
                f"--stack=organization/{program_.PROJECT}/{stack}", f"--event-log={log}",
            ]  # fmt: skip
            with said.open("wb") as output:
                process = subprocess.Popen(
                    command,
                    cwd=self._project,
                    env=self._environment(port),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
                code = _await(process, work)
            events.read(log, outcome)
            text = said.read_text(encoding="utf-8", errors="replace")
        if code != 0:
            if "currently locked by" in text:
                raise errors.Busy(f"the record of {stack} is locked by another process", hint="`pulumi cancel` frees a lock left behind.")
            if not outcome.failures:
                outcome.failures.append(_last_words(text) or f"pulumi ended with code {code}")
        return outcome

    def _environment(self, port: int) -> dict[str, str]:
        """Traps 3, 7 and 13 of `pulumi.md`. PULUMI_* of the caller does not leak in."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PULUMI_")}
        return inherited | {
            "PULUMI_BACKEND_URL": self._backend.url,
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(self._passphrase_file.resolve()),
            "PULUMI_CREDENTIAL_STORE": "plaintext",
            "PULUMI_DEBUG_PROVIDERS": f"labctl:{port}",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS": "true",
            "PULUMI_DEBUG_COMMANDS": "true",
            "PULUMI_HOME": str(self._project / ".home"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }


def _ensure_passphrase(file: Path) -> None:
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        state.write_whole(file, secrets.token_urlsafe(32) + "\n")


def _await(process: subprocess.Popen[bytes], work: Work) -> int:
    """Wait for the CLI. One SIGINT when the work is cancelled: twice would leave pending operations behind (trap 8)."""
    while True:
        try:
            return process.wait(0.2)
        except subprocess.TimeoutExpired:
            if not work.aborted.is_set():
                continue
        process.send_signal(signal.SIGINT)
        try:
            return process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


def _last_words(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith("error:")]
    return lines[-1] if lines else ""
