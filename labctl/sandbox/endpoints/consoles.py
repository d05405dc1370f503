"""`vncproxy` and `vncwebsocket` of VMs and containers (`proxmox-truth.md` 3.12). The WebSocket itself is in `websocket`.

Not built: termproxy, the node's own shell, Proxmox's own ticket in place of the worker's (`POST /access/vncticket`).
"""

from __future__ import annotations

from typing import Any

from labctl.sandbox import answers, calls, consoles, register, tasks


def _path(vmid: int) -> str:
    return f"/vms/{vmid}"


def _begin(call: calls.Call, kind: str) -> dict[str, Any]:
    """A worker, and the ticket for its one connection. That the guest is off is only told to whoever connects."""
    # Executed where it is asked, whatever node the path names (`proxyto` is empty).
    vmid = call.number("vmid")
    node = call.node.peers.get(call.text("node"), call.node)
    guest = register.find(node, kind, vmid)
    console = getattr(node.runtime, "console", None)
    lacks = consoles.lacking()
    try:
        worker = node.consoles.begin(vmid, str(guest["config"].get("name", vmid)), console(vmid) if console else None)
    except consoles.NotReady as failure:
        answers.die(str(failure))

    def work(job: tasks.Job) -> None:
        job.say(f"starting vnc proxy {job.upid}")
        if console is None or lacks:
            reason = f"not on this machine: {lacks}" if console else "paper guests have no console"
            worker.ended.set()
            worker.taken.set()
            node.consoles.run(worker)
            answers.die(reason)
        node.consoles.run(worker)
        if not worker.taken.is_set():
            answers.die("connection timed out")

    upid = node.tasks.start("vncproxy", str(vmid), call.who, work)
    if console is None or lacks:
        answers.die(f"Timeout while waiting for port '{worker.port}' to get ready!")
    ticket = node.sessions.vnc_ticket(call.who, _path(vmid), worker.port)
    answer = {"user": call.who, "port": worker.port, "upid": upid, "cert": node.certificate, "ticket": f"{worker.password}:{ticket}"}
    return answer | ({"password": worker.password} if call.flag("generate-password") or call.flag("websocket") else {})


@calls.on("POST", "/nodes/{node}/qemu/{vmid}/vncproxy")
def qemu_proxy(call: calls.Call) -> dict[str, Any]:
    """Of a VM."""
    if call.flag("generate-password") and not call.flag("websocket"):
        answers.bad(**{"generate-password": "requires 'websocket' to be set"})
    return _begin(call, "qemu")


@calls.on("POST", "/nodes/{node}/lxc/{vmid}/vncproxy")
def lxc_proxy(call: calls.Call) -> dict[str, Any]:
    """Of a container."""
    return _begin(call, "lxc")


def _checked(call: calls.Call) -> dict[str, Any]:
    """Whether the ticket is this caller's, for this guest and port."""
    password, _, ticket = call.text("vncticket").partition(":")
    if ":" not in ticket or len(password) != 8:
        ticket = call.text("vncticket")
    if not call.node.sessions.vnc_ticket_holds(ticket, call.who, _path(call.number("vmid")), call.number("port")):
        raise answers.Refused(401, "permission denied - invalid PVEVNC ticket\n")
    return {"port": str(call.number("port"))}


@calls.on("GET", "/nodes/{node}/qemu/{vmid}/vncwebsocket")
def qemu_socket(call: calls.Call) -> dict[str, Any]:
    """Of a VM."""
    return _checked(call)


@calls.on("GET", "/nodes/{node}/lxc/{vmid}/vncwebsocket")
def lxc_socket(call: calls.Call) -> dict[str, Any]:
    """Of a container."""
    return _checked(call)
