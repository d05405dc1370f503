"""Who may do what: users, tokens, roles, ACLs and pools, evaluated as Proxmox does (`proxmox-truth.md` 5.1, `client-sequence.md` 2 and 3).

Deeper ACLs replace shallower ones, a user's own replace its groups', `NoAccess` wins, a pool's roles reach exactly its members
and no further, and a privsep token has what both it and its user have. Reads only; who changes users and ACLs is in
`endpoints.access*`. Answers are kept until users, roles or ACLs change; paths about which no ACL line speaks share one.
"""

from __future__ import annotations

import re
import time
from typing import Any

from labctl.sandbox import answers, formats, membership, state

ROOT = "root@pam"
Privileges = dict[str, bool]


def owner(who: str) -> str:
    """The user of a token, or the user itself."""
    return who.partition("!")[0]


def normalise(path: str) -> str | None:
    """The ACL path Proxmox knows, or None when there is none of that shape (`proxmox-truth.md` 0: `vms/100` is accepted)."""
    clean = "/" + "/".join(part for part in path.split("/") if part)
    return clean if re.fullmatch(_KNOWN, clean, re.ASCII) else None


_KNOWN = (
    r"/|/access(/groups(/[A-Za-z0-9.\-_]+)?|/realm(/[A-Za-z][A-Za-z0-9.\-_]+)?)?|/nodes(/[A-Za-z0-9.\-]+)?"
    r"|/pool(/[A-Za-z0-9.\-_]+(/[A-Za-z0-9.\-_]+){0,2})?"
    r"|/sdn(/controllers|/dns|/ipams|/fabrics|/zones(/[A-Za-z0-9.\-_]+(/[A-Za-z0-9.\-_]+(/[1-9][0-9]{0,3})?)?)?)?(?:/[A-Za-z0-9.\-_]+)?"
    r"|/storage(/[A-Za-z0-9.\-_]+)?|/vms(/[1-9][0-9]{2,})?|/mapping(/(dir|pci|usb)(/[A-Za-z0-9.\-_]+)?)?"
)


class AccessControl:
    """Questions about one node's users."""

    def __init__(self, state_: state.State) -> None:
        self._content = state_.content
        self._generation = state_.generation
        self.membership = membership.Membership(state_)
        self._known: dict[tuple[str, str, tuple[str, ...]], Privileges] = {}
        self._known_at: tuple[int, ...] = ()
        self._spoken: frozenset[str] = frozenset()

    def is_enabled(self, user: str) -> bool:
        """A user that exists, is enabled and not expired."""
        facts = self._content["users"].get(user)
        return bool(facts and facts.get("enable", 1) and not _expired(facts))

    def roles(self, who: str, path: str) -> dict[str, bool]:
        """Role -> whether it goes on below `path`; of this user or token alone."""
        steps = ["/"]
        for part in path.strip("/").split("/"):
            if part:
                steps.append(f"{steps[-1].rstrip('/')}/{part}")
        found: dict[str, bool] = {}
        for step in steps:
            here = self._roles_at(who, step, final=step == path)
            found = here or found
        return {"NoAccess": found["NoAccess"]} if "NoAccess" in found else found

    def _roles_at(self, who: str, step: str, *, final: bool) -> dict[str, bool]:
        own: dict[str, bool] = {}
        grouped: dict[str, bool] = {}
        groups = {name for name, facts in self._content["groups"].items() if who in facts.get("users", [])}
        for entry in self._content["acl"].values():
            if entry["path"] != step or not (final or entry["propagate"]):
                continue
            if entry["ugid"] == who:
                own[entry["role"]] = bool(entry["propagate"])
            elif entry["ugid"].startswith("@") and entry["ugid"][1:] in groups:
                grouped[entry["role"]] = bool(entry["propagate"])
        return own or grouped

    def _pools(self, path: str) -> tuple[str, ...]:
        """ACL paths of the pools that the thing of this path is in."""
        kind, _, member = path.strip("/").partition("/")
        if not member or kind not in membership.FIELDS:
            return ()
        return tuple(f"/pool/{name}" for name in self.membership.pools_of(kind, member))

    def _pool_roles(self, who: str, path: str) -> dict[str, bool]:
        found: dict[str, bool] = {}
        for pool in self._pools(path):
            found |= dict.fromkeys(self.roles(who, pool), False)
        return found

    def privileges(self, who: str, path: str) -> Privileges:
        """Privilege -> whether it goes on below `path`. Not to be changed by who asks."""
        now = tuple(self._generation[kind] for kind in ("users", "tokens", "groups", "roles", "acl"))
        if now != self._known_at:
            self._spoken = frozenset(entry["path"] for entry in self._content["acl"].values())
            self._known, self._known_at = {}, now
        known = self._known
        if "//" in path or path.endswith("/"):
            return self._privileges(who, path)
        key = (who, self._alike(path), tuple(sorted({self._alike(pool) for pool in self._pools(path)})))
        if key not in known:
            known[key] = self._privileges(who, path)
        return known[key]

    def _alike(self, path: str) -> str:
        """A path that all share which lie beside it and are not spoken about."""
        if path in self._spoken:
            return path
        return path.rpartition("/")[0] + "/*"

    def _privileges(self, who: str, path: str) -> Privileges:
        if owner(who) == ROOT and (who == ROOT or not self._separate(who)):
            return dict.fromkeys(self._role("Administrator"), True)
        if "!" in who and not self._separate(who):
            return self.privileges(owner(who), path)
        roles = dict(self.roles(who, path))
        inherited = self._pool_roles(who, path)
        if inherited and "NoAccess" not in roles:
            roles = {"NoAccess": False} if "NoAccess" in inherited else {**inherited, **roles}
        found: Privileges = {}
        for role, propagate in roles.items():
            for name in self._role(role):
                found[name] = found.get(name, False) or propagate
        if "!" in who:
            of_user = self.privileges(owner(who), path)
            found = {name: propagate and of_user[name] for name, propagate in found.items() if name in of_user}
        return found

    def _separate(self, token: str) -> bool:
        return bool(self._content["tokens"].get(token, {}).get("privsep", 1))

    def _role(self, role: str) -> list[str]:
        return list(self._content["roles"].get(role, []))

    def may(self, who: str, path: str, privileges: list[str], *, any_of: bool = False) -> bool:
        """Whether `who` has all (or any) of the privileges on `path`."""
        if who == ROOT:
            return True
        if not self.is_enabled(owner(who)):
            return False
        held = self.privileges(who, path)
        return any(name in held for name in privileges) if any_of else all(name in held for name in privileges)

    def need(self, who: str, path: str, *privileges: str, any_of: bool = False) -> None:
        """403 "Permission check failed (path, privilege)" unless `may`."""
        if any_of:
            if not self.may(who, path, list(privileges), any_of=True):
                answers.forbid(f"{path}, {'|'.join(privileges)}")
            return
        for name in privileges:
            if not self.may(who, path, [name]):
                answers.forbid(f"{path}, {name}")

    def need_on_guest(self, who: str, vmid: str, pool: str | None, *privileges: str, any_of: bool = False) -> None:
        """On the pool the guest is to join, else on the guest."""
        if pool and self.may(who, f"/pool/{pool}", list(privileges), any_of=any_of):
            return
        self.need(who, f"/vms/{vmid}", *privileges, any_of=any_of)

    def check_method(self, rule: dict[str, Any] | None, who: str, params: dict[str, Any]) -> None:
        """The schema's `permissions` of a method, before its parameters are looked at (`proxmox-truth.md` 3.1)."""
        if who == ROOT:
            return
        if rule is None:
            answers.forbid("user != root@pam")
        if rule.get("user") in {"all", "world"}:
            return
        self._test(rule["check"], who, params)

    def _allows(self, test: list[Any], who: str, params: dict[str, Any]) -> bool:
        try:
            self._test(test, who, params)
        except answers.Refused as refusal:
            if refusal.status == 403:
                return False
            raise
        return True

    def _test(self, test: list[Any], who: str, params: dict[str, Any]) -> None:
        kind = test[0]
        if kind == "and":
            for part in test[1:]:
                self._test(part, who, params)
        elif kind == "or":
            if not any(self._allows(part, who, params) for part in test[1:]):
                answers.forbid()
        elif kind == "perm":
            self._test_path(test, who, params)
        elif kind == "perm-modify":
            self.need_to_grant(who, normalise(_filled(test[1], params)) or "")
        elif kind == "userid-param":
            self._test_user_param(test[1], who, params)
        elif kind == "userid-group":
            self._test_user_group(test, who, params)
        else:
            answers.forbid()

    def _test_path(self, test: list[Any], who: str, params: dict[str, Any]) -> None:
        options = dict(zip(test[3::2], test[4::2], strict=False))
        if "require_param" in options and params.get(options["require_param"]) is None:
            answers.forbid()
        path = "/" + "/".join(part for part in _filled(test[1], params).split("/") if part)
        self.need(who, path, *test[2], any_of=bool(options.get("any")))

    def need_to_grant(self, who: str, path: str) -> None:
        """Permissions.Modify, or Allocate of the thing the path names."""
        if not path:
            self.need(who, "/access", "Permissions.Modify")
            return
        more = {"storage": "Datastore.Allocate", "vms": "VM.Allocate", "pool": "Pool.Allocate"}.get(path.split("/")[1])
        deep = path.count("/") > 1
        self.need(who, path, "Permissions.Modify", *([more] if more and deep else []), any_of=True)

    def _test_user_param(self, subtest: str, who: str, params: dict[str, Any]) -> None:
        user = str(params.get("userid", ""))
        try:
            formats.user_id(user)
        except formats.FormatError as failure:
            answers.die(str(failure).rstrip("\n"))
        if subtest == "self":
            self._existing(user)
            if who != user:
                answers.forbid()
        else:
            self.need(who, f"/access/realm/{user.rpartition('@')[2]}", "Realm.AllocateUser")

    def _test_user_group(self, test: list[Any], who: str, params: dict[str, Any]) -> None:
        options = dict(zip(test[2::2], test[3::2], strict=False))
        user, privileges, param = str(params.get("userid", "")), list(test[1]), options.get("groups_param")
        existing = param != "create"
        if existing:
            self._existing(user)
        if self.may(who, "/access/groups", privileges, any_of=True):
            return
        mine = [name for name in self._content["groups"] if self.may(who, f"/access/groups/{name}", privileges, any_of=True)]
        if param:
            wanted = formats.split_list(str(params.get("groups") or ""))
            if not wanted:
                answers.forbid(f"/access/groups, {', '.join(privileges)}")
            for name in wanted:
                if name not in mine:
                    answers.forbid(f"/access/groups/{name}, {', '.join(privileges)}")
        if existing and not any(user in self._content["groups"][name].get("users", []) for name in mine):
            answers.forbid()

    def _existing(self, user: str) -> None:
        if user not in self._content["users"]:
            answers.die(f"no such user ('{user}')")


def _filled(template: str, params: dict[str, Any]) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: str(params.get(found[1]) if params.get(found[1]) is not None else ""), template)


def _expired(facts: dict[str, Any]) -> bool:
    return bool(facts.get("expire") and float(facts["expire"]) < time.time())
