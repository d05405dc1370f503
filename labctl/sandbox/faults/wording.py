"""What Proxmox says: the refusal for each kind, with the names of the call it strikes (`proxmox-truth.md` 3.1-3.11, section 0)."""

from __future__ import annotations

from collections.abc import Callable

from labctl.sandbox import answers
from labctl.sandbox.faults import rules, striking

STORAGE = "lab"
"""The storage that is meant when neither rule nor call names one (`setup`)."""

Says = Callable[[striking.Call, rules.Rule], answers.Refused]


def refusal(rule: rules.Rule, call: striking.Call) -> answers.Refused:
    """What is answered, or what the task ends with."""
    if rule.message:
        return answers.Refused(rule.status, rule.message + "\n")
    return _SAYS.get(rule.kind.name, _plain)(call, rule)


def storage_of(call: striking.Call) -> str:
    """The storage that a call works on."""
    return str(call.params.get("storage") or STORAGE)


def lock_of(call: striking.Call) -> str:
    """The lock that a call waits for first: its guest's, or the cluster file's."""
    if call.vmid:
        return _flock(call)
    return "cfs:domain-sdn" if "sdn" in call.method.template else "cfs:file-user_cfg"


def _die(text: str) -> answers.Refused:
    return answers.Refused(500, text + "\n")


def _flock(call: striking.Call) -> str:
    vmid = call.vmid or "100"
    return f"/run/lock/lxc/pve-config-{vmid}.lock" if call.kind == "lxc" else f"/var/lock/qemu-server/lock-{vmid}.conf"


def _word(call: striking.Call) -> str:
    return "CT" if call.kind == "lxc" else "VM"


def _config_lock(call: striking.Call, _rule: rules.Rule) -> answers.Refused:
    return _die(f"can't lock file '{_flock(call)}' - got timeout")


def _storage_lock(call: striking.Call, rule: rules.Rule) -> answers.Refused:
    name = rule.storage or storage_of(call)
    return _die(f"can't lock file '/var/lock/pve-manager/pve-storage-{name}' - got timeout")


_PREFIX = {
    ("POST", "/pools"): "create pool failed: ",
    ("DELETE", "/pools"): "delete pool failed: ",
    ("PUT", "/pools"): "update pools failed: ",
}


def _cluster_lock(call: striking.Call, _rule: rules.Rule) -> answers.Refused:
    method = call.method
    if method.template.startswith("/cluster/sdn"):
        prefix = "could not commit SDN config: " if method.template == "/cluster/sdn" else ""
        return _die(f"{prefix}cfs-lock 'domain-sdn' error: got lock request timeout")
    late = "cfs-lock 'file-user_cfg' error: got lock request timeout"
    if method.template.endswith("/clone"):
        return _die(f"can't add VM {call.params.get('newid', '')} to pool '{call.params.get('pool', '')}': {late}")
    if call.vmid:
        return _die(f"access permissions cleanup for {_word(call)} {call.vmid} failed: {late}")
    return _die(f"{_PREFIX.get((method.verb, method.template), '')}{late}")


def _guest_locked(call: striking.Call, rule: rules.Rule) -> answers.Refused:
    kept = "disk" if call.kind == "lxc" and call.method.template.endswith("/clone") else "backup"
    return _die(f"{_word(call)} is locked ({rule.lock or kept})")


def _no_worker(_call: striking.Call, _rule: rules.Rule) -> answers.Refused:
    return _die("got no worker upid - start worker failed")


def _digest(call: striking.Call, _rule: rules.Rule) -> answers.Refused:
    if call.kind == "qemu" and call.method.template.endswith("/config"):
        return _die("checksum mismatch (file change by other user?)")
    return _die("detected modified configuration - file changed by other user? Try again.")


def _no_quorum(call: striking.Call, _rule: rules.Rule) -> answers.Refused:
    if call.method.upid or not call.method.template.startswith(("/pools", "/access")):
        return _die("cluster not ready - no quorum?")
    return _die(f"{_PREFIX.get((call.method.verb, call.method.template), '')}cfs-lock 'file-user_cfg' error: no quorum!")


def _forbidden(call: striking.Call, _rule: rules.Rule) -> answers.Refused:
    path, privilege = (f"/vms/{call.vmid}", "VM.Audit") if call.vmid else ("/", "Sys.Audit")
    return answers.Refused(403, f"Permission check failed ({path}, {privilege})\n")


def _unauthorised(_call: striking.Call, _rule: rules.Rule) -> answers.Refused:
    return answers.Refused(401, "Authentication failed!")


def _sdn_lock(call: striking.Call, _rule: rules.Rule) -> answers.Refused:
    prefix = "could not commit SDN config: " if call.method.template == "/cluster/sdn" else "could not acquire lock for SDN config: "
    return _die(f"{prefix}invalid lock token provided! at /usr/share/perl5/PVE/Network/SDN.pm line 1.")


def _vanished(call: striking.Call, _rule: rules.Rule) -> answers.Refused:
    folder = "lxc" if call.kind == "lxc" else "qemu-server"
    return _die(f"Configuration file 'nodes/{call.node}/{folder}/{call.vmid}.conf' does not exist")


def _agent_silent(_call: striking.Call, _rule: rules.Rule) -> answers.Refused:
    return _die("QEMU guest agent is not running")


def _interrupted(_call: striking.Call, _rule: rules.Rule) -> answers.Refused:
    return _die("received interrupt")


def _plain(_call: striking.Call, rule: rules.Rule) -> answers.Refused:
    return answers.Refused(rule.status, "got timeout\n" if rule.kind.name == "task-error" else "refused by a fault rule\n")


_SAYS: dict[str, Says] = {
    "config-lock": _config_lock,
    "storage-lock": _storage_lock,
    "cluster-lock": _cluster_lock,
    "guest-locked": _guest_locked,
    "no-worker": _no_worker,
    "digest": _digest,
    "no-quorum": _no_quorum,
    "forbidden": _forbidden,
    "unauthorised": _unauthorised,
    "sdn-lock": _sdn_lock,
    "vanished": _vanished,
    "agent-silent": _agent_silent,
    "task-interrupted": _interrupted,
}
