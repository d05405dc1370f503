"""Builds the guest image from Debian's packages, and unpacks it as the lowest layer of every guest's disk.

Both are atomic (made under another name, then renamed), skipped when already there, and may be killed at any time. Guests
are not made here.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from labctl.sandbox.guests import idmap, recipe
from labctl.sandbox.guests.runtime import RuntimeFailure

Say = Callable[[str], None]
NEWS_EVERY = 2.0
"""Seconds between two lines of progress."""


def path(cache: Path) -> Path:
    """Where the image of today's recipe lies, or would lie."""
    return cache / f"{recipe.stem()}.tar.zst"


def build(cache: Path, say: Say) -> Path:
    """The tarball of today's recipe, built when it is not there. Raises RuntimeFailure with Debian's own last words."""
    target = path(cache)
    if target.exists():
        say(f"guest image is already there: {target}")
        return target
    cache.mkdir(parents=True, exist_ok=True)
    with _alone(cache, say):
        if target.exists():
            return target
        for old in cache.glob(".building-*"):
            shutil.rmtree(old, ignore_errors=True)
        scratch = Path(tempfile.mkdtemp(prefix=".building-", dir=cache))
        scratch.chmod(0o755)
        try:
            made = _bootstrap(scratch, say)
            made.rename(target)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    say(f"guest image is ready: {target} ({target.stat().st_size // 2**20} MiB)")
    return target


@contextmanager
def _alone(cache: Path, say: Say) -> Iterator[None]:
    """One builder at a time. The lock goes with the process, so a killed builder holds up nobody."""
    with (cache / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another process is building the guest image: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _bootstrap(scratch: Path, say: Say) -> Path:
    tarball = scratch / "image.tar.zst"
    hook = scratch / "customise"
    hook.write_text(recipe.script(), encoding="ascii")
    hook.chmod(0o755)
    files = scratch / "files"
    for name, content in recipe.FILES.items():
        (files / name).parent.mkdir(parents=True, exist_ok=True)
        (files / name).write_text(content, encoding="utf-8")
    command = [
        # The builder's end is mmdebstrap's end too: nothing goes on alone after a kill -9.
        *("setpriv", "--pdeathsig", "TERM", "mmdebstrap", "--mode=root", "--variant=minbase", "--verbose"),
        f"--include={','.join(recipe.PACKAGES)}",
        *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in recipe.LEFT_OUT),
        '--aptopt=Acquire::Languages "none"',
        "--skip=cleanup/apt",
        f"--customize-hook={hook}",
        *(recipe.SUITE, str(tarball)),
    ]
    environment = {**_proxy(), **os.environ, "TMPDIR": str(scratch), "LC_ALL": "C.UTF-8"}
    say(f"building the guest image from Debian's packages ({len(recipe.PACKAGES)} asked for; takes about half a minute)")
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        last = _follow(process.stdout, say)
    if process.returncode:
        words = " / ".join(last[-6:])
        raise RuntimeFailure(
            f"mmdebstrap could not build the guest image (exit {process.returncode}): {words}. "
            "It needs the Debian archive: check the network and, behind a proxy, http_proxy or apt's own Acquire::http::Proxy."
        )
    return tarball


def _proxy() -> dict[str, str]:
    """The machine's own apt proxy, as the variable that apt also reads: so it does not stay in the image."""
    done = subprocess.run(["apt-config", "shell", "proxy", "Acquire::http::Proxy"], capture_output=True, text=True, check=False)
    found = re.fullmatch(r"proxy='(http[^']*)'\s*", done.stdout)
    return {"http_proxy": found[1]} if found else {}


def _follow(lines: Iterable[str], say: Say) -> list[str]:
    """Condense apt's and dpkg's thousand lines into one every two seconds. Returns the last lines, for a failure's report."""
    began = spoken = time.monotonic()
    counts = {"fetched": 0, "unpacked": 0, "set up": 0}
    marks = {"Get:": "fetched", "Unpacking ": "unpacked", "Setting up ": "set up"}
    last: list[str] = []
    for line in lines:
        text = line.strip()
        if not text:
            continue
        last = [*last[-30:], text]
        for start, word in marks.items():
            counts[word] += text.startswith(start)
        if time.monotonic() - spoken >= NEWS_EVERY:
            spoken = time.monotonic()
            done = ", ".join(f"{number} {word}" for word, number in counts.items() if number)
            say(f"  {spoken - began:4.0f} s  packages: {done or 'reading the archive'}")
    return [text for text in last if text.startswith(("E:", "W:", "Err", "dpkg:"))] or last


def unpack(tarball: Path, home: Path, ids: idmap.IdMap) -> Path:
    """`<home>/images/<stem>/`: the tarball unpacked with the ids of the guests' user namespace. Repeatable."""
    target = home / "images" / tarball.name.removesuffix(".tar.zst")
    if target.exists():
        return target
    for old in target.parent.glob(f".{target.name}-*"):
        shutil.rmtree(old)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    # tar runs as the namespace's root: without this "Cannot mkdir: Permission denied" (`access.md` 1.1).
    os.chown(scratch, ids.first, ids.first)
    scratch.chmod(0o755)
    # xattrs, or ping loses its capability; no ./dev, the guest gets its own.
    unpacker = ["tar", "-C", str(scratch), "--zstd", "--xattrs", "--xattrs-include=*", "--exclude=./dev/*", "-xpf", "-"]
    with tarball.open("rb") as source:
        done = subprocess.run([*ids.inside(), *unpacker], stdin=source, capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(scratch, ignore_errors=True)
        raise RuntimeFailure(f"the guest image {tarball} could not be unpacked: {done.stderr.strip()[-400:]}")
    scratch.rename(target)
    return target
