"""The process in which Ansible runs: `python -m labctl.drivers.ansible_process FOLDER`. The only importer of ansible_runner.

It reads FOLDER/job.json, runs one playbook by ansible-runner, and writes one JSON object a line to stdout:

    {"event": "step", "step": 3}                                     a step of the plan begins
    {"event": "task", "host": "web", "task": "...", "seconds": 0.8}  a task went well
    {"event": "failed" | "unreachable", "host": "web", "task": "...", "text": "..."}
    {"event": "timeout", "step": 3}                                  a step took longer than it may
    {"event": "end", "status": "successful", "rc": 0, "text": "..."} the last line; text: Ansible's own last words; rc: its exit code,
                                                                     null when a signal ended it

No secret is on a command line: variables are in files of FOLDER that only the owner reads. When stdin ends, whoever started
this process is gone, and so is it. The caller makes it the first process of a namespace, so that everything Ansible started
ends with it, whatever way it ends.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

SHOWN = 1000
"""Characters of a failure's text."""


class _Report:
    """Writes events to the caller and keeps time for the step that runs."""

    def __init__(self, output: int, timeouts: dict[str, float], mark: str) -> None:
        self._output = os.fdopen(output, "w", buffering=1)
        self._timeouts = timeouts
        self._mark = mark
        self._timer: threading.Timer | None = None
        self.last_words: list[str] = []

    def say(self, **event: Any) -> None:
        """One line."""
        self._output.write(json.dumps(event) + "\n")
        self._output.flush()

    def hear(self, event: dict[str, Any]) -> bool:
        """ansible-runner's event handler. False: the event is not kept on disk."""
        kind = str(event.get("event", ""))
        data = event.get("event_data") or {}
        task = {"host": data.get("host"), "task": data.get("task") or data.get("task_action")}
        if kind == "playbook_on_play_start" and str(data.get("name", "")).startswith(self._mark):
            self._begin(str(data["name"]).removeprefix(self._mark))
        elif kind == "runner_on_ok":
            self.say(event="task", **task, seconds=round(float(data.get("duration") or 0), 1))
        elif kind == "runner_on_failed" and not data.get("ignore_errors"):
            self.say(event="failed", **task, text=_explanation(data.get("res") or {}))
        elif kind == "runner_on_unreachable":
            self.say(event="unreachable", **task, text=_explanation(data.get("res") or {}))
        elif kind in {"verbose", "error", "warning"} and event.get("stdout"):
            self.last_words = [*self.last_words, str(event["stdout"])][-20:]
        return False

    def _begin(self, step: str) -> None:
        self.stop()
        self.say(event="step", step=int(step))
        self._timer = threading.Timer(self._timeouts.get(step, 1800.0), self._too_long, [int(step)])
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        """No step runs."""
        if self._timer is not None:
            self._timer.cancel()

    def _too_long(self, step: int) -> None:
        self.say(event="timeout", step=step)
        _die()


def _explanation(result: dict[str, Any]) -> str:
    """What a failed task said. A loop says only that an item failed, so the item is looked up."""
    if "censored" in result:
        return "its output is hidden (no_log)"
    failed = [item for item in result.get("results") or [] if isinstance(item, dict) and item.get("failed")]
    if failed:
        return _explanation(failed[0])
    parts = [str(result.get(key) or "").strip() for key in ("msg", "stderr", "module_stderr", "stdout", "module_stdout")]
    words = [part for part in dict.fromkeys(parts) if part]
    text = " / ".join(words) or "no message"
    return text if len(text) <= SHOWN else f"{text[: SHOWN // 2]} ... {text[-SHOWN // 2 :]}"


def _die() -> None:
    """At once; as first process of its namespace it takes everything Ansible started with it."""
    os._exit(3)


def _watch(stdin: int) -> None:
    while os.read(stdin, 4096):
        pass
    _die()


def main(folder: Path) -> int:
    """Run the job. 0 when Ansible ran to its end, whatever the outcome: that is in the last event."""
    # Keep the caller's pipes for ourselves: Ansible must neither read our stdin nor write between our lines.
    stdin, stdout = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    threading.Thread(target=_watch, args=[stdin], daemon=True).start()
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    report = _Report(stdout, job["timeouts"], job["mark"])

    import ansible_runner  # late: it takes 0.3 s, and the watch must stand before

    runner = ansible_runner.run(
        private_data_dir=str(folder),
        ident="run",
        playbook=job["playbook"],
        limit=job["limit"],
        tags=job["tags"],
        skip_tags=job["skip_tags"],
        forks=job["forks"],
        # ansible-runner switches host key checking off where the environment does not say otherwise.
        envvars={"ANSIBLE_HOST_KEY_CHECKING": "True"},
        settings={"suppress_output_file": True},
        event_handler=report.hear,
        quiet=True,
    )
    report.stop()
    report.say(event="end", status=runner.status, rc=runner.rc, text="\n".join(report.last_words)[-SHOWN:])
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
