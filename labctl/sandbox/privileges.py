"""The privileges of PVE 9 and the roles Proxmox ships (`proxmox-truth.md` 5.1; names as in AccessControl.pm). A table, no code."""

from __future__ import annotations

_VM_ADMIN = {
    "VM.Allocate", "VM.Clone", "VM.Migrate", "VM.Snapshot", "VM.Snapshot.Rollback", "VM.Config.Disk", "VM.Config.CPU", "VM.Config.Memory",
    "VM.Config.Network", "VM.Config.HWType", "VM.Config.Options", "VM.Replicate",
}  # fmt: skip
_VM_USER = {
    "VM.Audit", "VM.Backup", "VM.Config.CDROM", "VM.Config.Cloudinit", "VM.Console", "VM.PowerMgmt", "VM.GuestAgent.Audit",
    "VM.GuestAgent.FileRead", "VM.GuestAgent.FileWrite", "VM.GuestAgent.FileSystemMgmt", "VM.GuestAgent.Unrestricted",
}  # fmt: skip
_DATASTORE = {"Datastore.Allocate", "Datastore.AllocateSpace", "Datastore.AllocateTemplate", "Datastore.Audit"}
_SDN = {"SDN.Allocate", "SDN.Audit", "SDN.Use"}
_POOL = {"Pool.Allocate", "Pool.Audit"}
_MAPPING = {"Mapping.Audit", "Mapping.Modify", "Mapping.Use"}
_USER = {"Group.Allocate", "User.Modify"}
_ROOT = {"Permissions.Modify", "Realm.Allocate", "Realm.AllocateUser", "Sys.AccessNetwork", "Sys.Incoming", "Sys.Modify", "Sys.PowerMgmt"}
_SYS = {"Sys.Audit", "Sys.Console", "Sys.Syslog"}

ALL: frozenset[str] = frozenset(_VM_ADMIN | _VM_USER | _DATASTORE | _SDN | _POOL | _MAPPING | _USER | _ROOT | _SYS)

BUILTIN_ROLES: dict[str, frozenset[str]] = {
    "Administrator": ALL,
    "NoAccess": frozenset(),
    "PVEAdmin": ALL - _ROOT,
    "PVEAuditor": frozenset({name for name in ALL if name.endswith(".Audit")}),
    "PVEDatastoreAdmin": frozenset(_DATASTORE),
    "PVEDatastoreUser": frozenset({"Datastore.AllocateSpace", "Datastore.Audit"}),
    "PVEMappingAdmin": frozenset(_MAPPING),
    "PVEMappingAudit": frozenset({"Mapping.Audit"}),
    "PVEMappingUser": frozenset({"Mapping.Audit", "Mapping.Use"}),
    "PVEPoolAdmin": frozenset(_POOL),
    "PVEPoolUser": frozenset({"Pool.Audit"}),
    "PVESDNAdmin": frozenset(_SDN),
    "PVESDNUser": frozenset({"SDN.Audit", "SDN.Use"}),
    "PVESysAdmin": frozenset(_SYS),
    "PVETemplateUser": frozenset({"VM.Audit", "VM.Clone"}),
    "PVEUserAdmin": frozenset({"Group.Allocate", "Realm.AllocateUser", "User.Modify"}),
    "PVEVMAdmin": frozenset(_VM_ADMIN | _VM_USER),
    "PVEVMUser": frozenset(_VM_USER),
}
