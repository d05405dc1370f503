"""`python -m labctl.sandbox`: check, image, init, serve, faults, status, wipe. `--help` of each says what it does."""

from __future__ import annotations

import argparse
import dataclasses
import ipaddress
import json
import logging
import re
import shutil
import sys
from pathlib import Path

from labctl.sandbox import answers
from labctl.sandbox import node as node_
from labctl.sandbox.faults import reading
from labctl.sandbox.guests import runtime
from labctl.sandbox.paper import description
from labctl.sandbox.paper import reading as cluster_file


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")


def check(options: argparse.Namespace) -> int:
    """What this machine lacks for real guests."""
    from labctl.sandbox.guests import check as check_

    found = check_.findings()
    if options.json:
        _print(json.dumps([vars(finding) for finding in found]))
    else:
        for finding in found:
            _print(f"{'ok  ' if finding.ok else 'LACK'} {finding.name}: {finding.detail}{'' if finding.ok else ' -> ' + finding.remedy}")
    return 0 if all(finding.ok for finding in found) else 1


def image(options: argparse.Namespace) -> int:
    """Build the base image."""
    from labctl.sandbox.guests import image as image_

    _print(str(image_.build(options.cache, _say)))
    return 0


def init(options: argparse.Namespace) -> int:
    """Make or repair a node's home."""
    from labctl.sandbox import endpoints, recovery, server, setup

    assert endpoints
    key = options.authorized_key.read_text("utf-8").strip() if options.authorized_key else ""
    cluster = _cluster(options)
    settings = node_.Settings(
        name=options.name,
        listen=options.listen,
        runtime=options.runtime,
        uplink=options.uplink,
        management=str(options.management),
        cache=str(options.cache),
        authorized_key=key,
        node=cluster.names[0] if cluster else "sandbox",
        pace=1 / cluster.speed if cluster else 1.0,
        refusal_delay=3 / cluster.speed if cluster else 3.0,
    )
    home: Path = options.home.resolve()
    setup.prepare_home(home, settings, cluster)
    with server.alone(home):
        # Nobody has to wait for modelled templates: what IT did took its time long ago.
        node = node_.open_(home, speed=1000.0)
        recovery.settle(node)
        setup.initialise(node, _say)
        node.close()
    _say(f"ready: {home / 'credentials.json'}")
    return 0


def _cluster(options: argparse.Namespace) -> description.Cluster | None:
    """The paper cluster that the options ask for, if they do."""
    asked = options.cluster or options.nodes
    if asked and options.runtime != "paper":
        raise description.BadDescription("a cluster of several nodes is paper: say --runtime paper with --nodes or --cluster")
    if options.cluster and options.nodes:
        raise description.BadDescription("--cluster FILE says which nodes there are: leave --nodes out")
    if options.cluster:
        known = cluster_file.cluster(options.cluster.read_text("utf-8"), str(options.cluster))
        return dataclasses.replace(known, speed=options.speed) if options.speed else known
    return description.default(options.nodes, options.speed or 1.0, local=options.local) if options.nodes else None


def serve(options: argparse.Namespace) -> int:
    """Answer until told to stop."""
    from labctl.sandbox import server
    from labctl.sandbox.faults import watching

    if options.faults:
        watching.put(options.home.resolve(), options.faults.read_text("utf-8"), str(options.faults))
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    server.serve(options.home.resolve())
    return 0


def faults(options: argparse.Namespace) -> int:
    """What the node does wrong on purpose: check FILE, set FILE, clear, or show; a running node follows at once."""
    from labctl.sandbox.faults import watching

    home: Path = options.home.resolve()
    if options.what in {"check", "set"} and options.file is None:
        _say(f"error: `faults {options.what}` needs a FILE")
        return 1
    if options.what == "check":
        reading.read(options.file.read_text("utf-8"), str(options.file))
        return 0
    node_.settings_of(home)
    if options.what == "clear":
        watching.clear(home)
    elif options.what == "show":
        _print(watching.shown(home).rstrip() or "faults: []")
    else:
        known = watching.put(home, options.file.read_text("utf-8"), str(options.file))
        _say(f"{len(known.rules)} faults are in force")
    return 0


def status(options: argparse.Namespace) -> int:
    """What is there; also while the node does not run. Looks only."""
    from labctl.sandbox import state
    from labctl.sandbox.faults import watching

    home: Path = options.home.resolve()
    settings = node_.settings_of(home)
    known = state.State(home / "node.sqlite3")
    running = _running(home, settings)
    guests = {
        vmid: {
            "type": guest["type"],
            "name": guest["config"].get("name") or guest["config"].get("hostname"),
            "running": int(vmid) in running,
        }
        for vmid, guest in sorted(known.content["guests"].items())
    }
    vnets = sorted(key.removeprefix("vnets/") for key in known.content["sdn"] if key.startswith("vnets/"))
    pools = sorted(known.content["pools"])
    known.close()
    facts = {"node": settings.node, "listen": settings.listen, "runtime": settings.runtime, "stands_in": True, "guests": guests}
    facts |= {"vnets": vnets, "pools": pools, "faults": bool(watching.shown(home))}
    if options.json:
        _print(json.dumps(facts))
        return 0
    _print(f"node {settings.node} on https://{settings.listen}, guests are: {settings.runtime}; containers stand in for VMs")
    if facts["faults"]:
        _print(f"faults are in force: {home / watching.FILE}")
    for vmid, guest in guests.items():
        _print(f"  {vmid} {guest['type']} {guest['name']} {'running' if guest['running'] else 'stopped'}")
    return 0


def _running(home: Path, settings: node_.Settings) -> set[int]:
    """VMIDs that run, without opening the runtime: a node may be serving."""
    if settings.runtime == "paper":
        from labctl.sandbox.paper import ledger

        return set(ledger.Ledger(home / node_.PAPER).running)
    from labctl.sandbox.guests import inventory

    lines = [line for line in inventory.found(home / "guests", settings.name) if line.startswith("running guest ")]
    return {int(line.rpartition("-")[2]) for line in lines}


def wipe(options: argparse.Namespace) -> int:
    """Everything goes: guests, networks, mounts, files."""
    from labctl.sandbox import server

    home: Path = options.home.resolve()
    if not (home / "settings.json").exists():
        _say(f"there is no node in {home}")
        return 0
    settings = node_.settings_of(home)
    with server.alone(home):
        if settings.runtime != "paper":
            from labctl.sandbox.guests import inventory

            for line in inventory.wipe(home / "guests", settings.name):
                _say(f"removed {line}")
        shutil.rmtree(home)
    _say(f"removed {home}")
    return 0


def _name(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,31}", text):
        raise argparse.ArgumentTypeError("small letters, digits and '-', at most 32, a letter first")
    return text


def _listen(text: str) -> str:
    host, _, port = text.rpartition(":")
    if host != "127.0.0.1" or not port.isdigit() or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError("127.0.0.1:PORT: a node answers on the loopback only")
    return text


def _interface(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_.-]{0,14}", text):
        raise argparse.ArgumentTypeError("an interface name of at most 15 characters")
    return text


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m labctl.sandbox", description=__doc__)
    verbs = top.add_subparsers(required=True)
    for verb in (check, image, init, serve, faults, status, wipe):
        one = verbs.add_parser(verb.__name__, help=verb.__doc__, description=verb.__doc__)
        one.set_defaults(verb=verb)
        if verb in {check, status}:
            one.add_argument("--json", action="store_true", help="print JSON")
        if verb in {init, serve, faults, status, wipe}:
            one.add_argument("--home", type=Path, required=True, help="the node's folder")
        if verb in {image, init}:
            one.add_argument(
                "--cache", type=Path, required=verb is image, default=Path("/var/cache/labctl"), help="where the base image is kept"
            )
        if verb is serve:
            one.add_argument("--faults", type=Path, help="a fault file to follow from now on")
        if verb is faults:
            one.add_argument("what", choices=("check", "set", "clear", "show"), help="what to do")
            one.add_argument("file", type=Path, nargs="?", help="the fault file, for `check` and `set`")
        if verb is init:
            one.add_argument("--name", type=_name, required=True, help="keeps several nodes on one machine apart")
            one.add_argument("--listen", type=_listen, required=True, help="127.0.0.1:PORT")
            one.add_argument("--uplink", type=_interface, required=True, help="the machine's end of the cable to the management network")
            one.add_argument("--management", type=ipaddress.IPv4Network, required=True, help="address range of the management network")
            one.add_argument("--authorized-key", type=Path, help="public key that the container template's user accepts")
            one.add_argument("--runtime", choices=("lxc", "paper"), default="lxc", help="what guests are")
            one.add_argument("--nodes", type=int, default=0, help="paper: a cluster of so many nodes, with modelled times")
            one.add_argument("--speed", type=float, help="paper: how much faster than ours the cluster's clock runs")
            one.add_argument("--local", action="store_true", help="paper: with --nodes, each node has a storage of its own")
            one.add_argument("--cluster", type=Path, help="paper: a YAML file that describes the cluster")
    return top


def main() -> int:
    """Exit code: 0 done, 1 a person has to do something, 130 interrupted (every verb may be repeated)."""
    options = parser().parse_args()
    try:
        return int(options.verb(options))
    except answers.Refused as refusal:
        _say(f"error: {refusal.as_task_error()}")
    except reading.Mistakes as mistakes:
        _say(str(mistakes))
    except (description.BadDescription, runtime.RuntimeFailure, node_.AlreadyRunning, OSError, UnicodeDecodeError) as failure:
        _say(f"error: {failure}")
    except KeyboardInterrupt:
        return 130
    return 1


if __name__ == "__main__":
    sys.exit(main())
