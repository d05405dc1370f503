"""Start, stop, shutdown, reboot, reset, suspend, resume: of VMs and of containers (`proxmox-truth.md` 3.7).

VM: what is wrong is told by the task; container: at once, by 500. Suspend, resume and reset of a stand-in are refused in the
task, because a container has no such thing; to disk neither.
"""

from __future__ import annotations

from typing import Any

from labctl.sandbox import answers, booting, calls, figures, lxc_config, qemu_writing, register, tasks

DEFAULT_SHUTDOWN = 60
"""Seconds a guest is given to shut down (`proxmox-truth.md` 3.7)."""


def _skiplock(call: calls.Call) -> bool:
    if "skiplock" in call.params and not call.is_root:
        answers.bad(skiplock="Only root may use this option.")
    return call.flag("skiplock")


def boot(call: calls.Call, kind: str, vmid: int, job: tasks.Job) -> None:
    """The work of a start, under the guest's lock."""
    node = call.node
    _ = job
    guest = register.find(node, kind, vmid)
    if register.is_template(guest):
        answers.die("you can't start a vm if it's a template" if kind == "qemu" else "you can't start a CT if it's a template")
    if not call.flag("skiplock"):
        register.check_lock(guest)
    if register.runs(node, vmid):
        answers.die(f"{register.WORD[kind]} {vmid} already running")
    if kind == "qemu":
        qemu_writing.settle_pending(node, vmid)
    else:
        lxc_config.settle_pending(node, vmid)
    guest = register.find(node, kind, vmid)
    booting.check_bridges(node, guest)
    node.hardware.check_memory(figures.memory_of(guest) // 1024**2, container=kind == "lxc")
    node.runtime.start(booting.spec(node, vmid, guest))


@calls.on("POST", "/nodes/{node}/qemu/{vmid}/status/start")
def qemu_start(call: calls.Call) -> str:
    """Task `qmstart`."""
    vmid = call.number("vmid")
    _skiplock(call)
    for name in (
        "stateuri",
        "migratedfrom",
        "migration_type",
        "migration_network",
        "targetstorage",
        "with-conntrack-state",
        "nets-host-mtu",
    ):
        if name in call.params and not call.is_root:
            answers.bad_params({name: "Only root may use this option."})
    call.node.check_quorum()
    register.find(call.node, "qemu", vmid)

    def work(job: tasks.Job) -> None:
        with call.node.locks.guest("qemu", vmid):
            boot(call, "qemu", vmid, job)

    return call.node.tasks.start("qmstart", str(vmid), call.who, work)


@calls.on("POST", "/nodes/{node}/lxc/{vmid}/status/start")
def lxc_start(call: calls.Call) -> str:
    """Task `vzstart`; a running one is refused at once."""
    vmid = call.number("vmid")
    _skiplock(call)
    if register.runs(call.node, vmid):
        answers.die(f"CT {vmid} already running")
    call.node.check_quorum()
    register.find(call.node, "lxc", vmid)

    def work(job: tasks.Job) -> None:
        with call.node.locks.guest("lxc", vmid):
            boot(call, "lxc", vmid, job)

    return call.node.tasks.start("vzstart", str(vmid), call.who, work)


@calls.on("POST", "/nodes/{node}/qemu/{vmid}/status/stop")
def qemu_stop(call: calls.Call) -> str:
    """Task `qmstop`; OK when it is off already."""
    vmid = call.number("vmid")
    _skiplock(call)

    def work(job: tasks.Job) -> None:
        _ = job
        with call.node.locks.guest("qemu", vmid):
            guest = register.find(call.node, "qemu", vmid)
            if not register.runs(call.node, vmid):
                return
            if not call.flag("skiplock"):
                register.check_lock(guest)
            call.node.runtime.stop(vmid)
            call.node.paused.discard(vmid)

    return call.node.tasks.start("qmstop", str(vmid), call.who, work)


@calls.on("POST", "/nodes/{node}/lxc/{vmid}/status/stop")
def lxc_stop(call: calls.Call) -> str:
    """Task `vzstop`; a stopped one is refused at once."""
    vmid = call.number("vmid")
    _skiplock(call)
    if not register.runs(call.node, vmid):
        answers.die(f"CT {vmid} not running")

    def work(job: tasks.Job) -> None:
        _ = job
        with call.node.locks.guest("lxc", vmid):
            guest = register.find(call.node, "lxc", vmid)
            if not call.flag("skiplock"):
                register.check_lock(guest)
            call.node.runtime.stop(vmid)

    return call.node.tasks.start("vzstop", str(vmid), call.who, work)


def _shut_down(call: calls.Call, kind: str, vmid: int) -> None:
    node, timeout = call.node, call.number("timeout", DEFAULT_SHUTDOWN)
    with node.locks.guest(kind, vmid):
        guest = register.find(node, kind, vmid)
        if not call.flag("skiplock"):
            register.check_lock(guest)
        if not register.runs(node, vmid):
            return
        if not node.runtime.shutdown(vmid, timeout):
            if not call.flag("forceStop"):
                answers.die("VM quit/powerdown failed - got timeout" if kind == "qemu" else "container did not stop")
            node.runtime.stop(vmid)


@calls.on("POST", "/nodes/{node}/qemu/{vmid}/status/shutdown")
def qemu_shutdown(call: calls.Call) -> str:
    """Task `qmshutdown`; a stopped VM ends OK (`proxmox-truth.md` 1.4)."""
    vmid = call.number("vmid")
    _skiplock(call)
    register.find(call.node, "qemu", vmid)
    return call.node.tasks.start("qmshutdown", str(vmid), call.who, lambda _job: _shut_down(call, "qemu", vmid))


@calls.on("POST", "/nodes/{node}/lxc/{vmid}/status/shutdown")
def lxc_shutdown(call: calls.Call) -> str:
    """Task `vzshutdown`; a stopped one is refused at once."""
    vmid = call.number("vmid")
    if not register.runs(call.node, vmid):
        answers.die(f"CT {vmid} not running")
    return call.node.tasks.start("vzshutdown", str(vmid), call.who, lambda _job: _shut_down(call, "lxc", vmid))


def _reboot(call: calls.Call, kind: str, vmid: int, job: tasks.Job) -> None:
    with call.node.locks.guest(kind, vmid):
        if not call.node.runtime.shutdown(vmid, call.number("timeout", DEFAULT_SHUTDOWN)):
            answers.die("VM quit/powerdown failed - got timeout" if kind == "qemu" else "container did not stop")
        boot(call, kind, vmid, job)


@calls.on("POST", "/nodes/{node}/qemu/{vmid}/status/reboot")
def qemu_reboot(call: calls.Call) -> str:
    """Task `qmreboot`: shutdown, then start with what was pending."""
    vmid = call.number("vmid")
    register.find(call.node, "qemu", vmid)
    if not register.runs(call.node, vmid):
        answers.die(f"VM {vmid} not running")
    return call.node.tasks.start("qmreboot", str(vmid), call.who, lambda job: _reboot(call, "qemu", vmid, job))


@calls.on("POST", "/nodes/{node}/lxc/{vmid}/status/reboot")
def lxc_reboot(call: calls.Call) -> str:
    """Task `vzreboot`."""
    vmid = call.number("vmid")
    if not register.runs(call.node, vmid):
        answers.die(f"VM {vmid} not running")
    return call.node.tasks.start("vzreboot", str(vmid), call.who, lambda job: _reboot(call, "lxc", vmid, job))


@calls.on("POST", "/nodes/{node}/qemu/{vmid}/status/reset")
def qemu_reset(call: calls.Call) -> str:
    """Task `qmreset`: off and on at once."""
    vmid = call.number("vmid")
    _skiplock(call)
    if not register.runs(call.node, vmid):
        answers.die(f"VM {vmid} not running")

    def work(job: tasks.Job) -> None:
        with call.node.locks.guest("qemu", vmid):
            register.check_lock(register.find(call.node, "qemu", vmid))
            call.node.runtime.stop(vmid)
            boot(call, "qemu", vmid, job)

    return call.node.tasks.start("qmreset", str(vmid), call.who, work)


def _unpausable(call: calls.Call, kind: str) -> str:
    vmid = call.number("vmid")
    _skiplock(call)
    if not register.runs(call.node, vmid):
        answers.die(f"VM {vmid} not running")

    def work(job: tasks.Job) -> None:
        _ = job
        answers.die(f"VM {vmid}: a container stands in for this VM, and it cannot be suspended")

    return call.node.tasks.start(kind, str(vmid), call.who, work)


@calls.on("POST", "/nodes/{node}/qemu/{vmid}/status/suspend")
def qemu_suspend(call: calls.Call) -> Any:
    """Not possible with stand-ins: the task says so."""
    return _unpausable(call, "qmsuspend" if call.flag("todisk") else "qmpause")


@calls.on("POST", "/nodes/{node}/qemu/{vmid}/status/resume")
def qemu_resume(call: calls.Call) -> Any:
    """Nothing is ever suspended."""
    return _unpausable(call, "qmresume")


@calls.on("GET", "/nodes/{node}/qemu/{vmid}/status")
@calls.on("GET", "/nodes/{node}/lxc/{vmid}/status")
def index(call: calls.Call) -> list[dict[str, str]]:
    """The verbs."""
    _ = call
    return [{"subdir": name} for name in ("current", "start", "stop", "reset", "shutdown", "suspend", "reboot")]
