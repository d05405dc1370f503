"""Blueprint x seat x plot -> Plan: every decision of a lab, made once, in one pure function.

`labctl blueprint plan` and the real run call the same function, so the dry run cannot lie. What it needs of the world is handed in: the
site (a value) and the drawn values of variables (`labctl.model.drawing`). Numbers come from `labctl.model.marks`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from labctl import errors
from labctl.model import (
    addressing,
    blueprint_apps,
    blueprint_steps,
    crosschecks,
    crosschecks_networks,
    drawing,
    inventory,
    marks,
    planning_tasks,
    references,
    web_apps,
)
from labctl.model import blueprint as language
from labctl.model import plan as plan_
from labctl.model import site as site_

draw = drawing.draw

_MIB_PER_GIB = 1024
_TEMPLATE = re.compile(r"\{[{%#]")


def plan(
    blueprint: language.Blueprint,
    site: site_.Site,
    *,
    environment: str,
    plot: int,
    classroom: str,
    seat: plan_.SeatRef,
    source: str,
    values: Mapping[str, Any],
) -> plan_.Plan:
    """The plan of one seat. `classroom` is the slug, `source` is "<name>@sha256:...", `values` come from `draw`.

    Raises BadInput naming every machine whose image, kind or size this site cannot give, and every range that clashes with the site's.
    """
    fits(blueprint, site)
    own = principal(classroom, seat.number, environment)
    apps = tuple(_app(name, block, site, own) for name, block in blueprint.apps.items())
    work = _Work(blueprint, site, plot, classroom, seat, dict(values), {app.name: app.url for app in apps})
    return plan_.Plan(
        environment=environment,
        installation=site.installation,
        plot=plot,
        pool=marks.pool(site, environment),
        zone=site.zone,
        classroom=classroom,
        blueprint=source.partition("@")[0],
        source=source,
        seat=seat,
        principal=own,
        machines=tuple(work.machine(index, machine) for index, machine in enumerate(work.members, 1)),
        networks=tuple(work.network(index, network) for index, network in enumerate(work.networks)),
        steps=tuple(work.step(step) for step in blueprint.configure),
        checks=tuple(work.check(check) for check in blueprint.ready),
        tasks=tuple(planning_tasks.task(one, work.check, work.lookup, work.members[0].name) for one in blueprint.tasks),
        variables=tuple(
            plan_.Variable(name=name, value=work.values[name], shown=variable.shown) for name, variable in blueprint.variables.items()
        ),
        apps=apps,
    )


def principal(classroom: str, number: int, environment: str) -> str:
    """The SSH principal of a seat. It names the seat and the environment it was first given: a rebuild keeps it, a swap takes it along, so
    the learner's files stay valid (`access.md` 2.1); a later class of the same name gets another, so old files open nothing there. Only
    signs that OpenSSH takes in a principals file without quoting.
    """
    return f"seat-{re.sub(r'[^a-z0-9-]', '-', classroom.lower())}-{number}-{environment}"


def _app(name: str, block: blueprint_apps.App, site: site_.Site, own: str) -> plan_.PlannedApp:
    here = f"{block.scheme}://127.0.0.1:{block.port}"
    there = web_apps.address(site.apps, web_apps.label(own, block.machine, name)) if site.apps else here
    return plan_.PlannedApp(
        name=name,
        machine=block.machine,
        port=block.port,
        scheme=block.scheme,
        path=block.path,
        title=block.title or name,
        url=f"{there}{block.path}",
    )


def fits(blueprint: language.Blueprint, site: site_.Site) -> None:
    """Whether this site has what the blueprint needs. Raises BadInput with every reason."""
    reasons = [reason for machine in inventory.machines(blueprint) if machine.number < 2 for reason in _misfits(machine, site)]
    reasons += [
        f"network '{network.name}' ({network.cidr}) overlaps with this site's management network ({site.management})"
        for network in inventory.networks(blueprint)
        if ipaddress.IPv4Network(network.cidr).overlaps(site.management)
    ]
    if reasons:
        raise errors.BadInput("; ".join(reasons), hint="change the blueprint, or ask IT to change the site's catalogue (site.yaml)")


def _misfits(machine: inventory.Machine, site: site_.Site) -> list[str]:
    name, kind = machine.get("image"), machine.get("kind")
    image = site.images.get(name)
    if image is None:
        has = ", ".join(site.images) or "nothing"
        return [f"machine '{machine.base}': image '{name}' is not in this site's catalogue; it has: {has}"]
    if not image.of(kind):
        kinds = [other for other in ("vm", "container") if image.of(other)]
        return [f"machine '{machine.base}': this site has image '{name}' not as a {kind}; it has: {', '.join(kinds) or 'no kind of it'}"]
    reasons = []
    if image.family != "linux":
        reasons.append(f"machine '{machine.base}': image '{name}' is of family {image.family}, which is not supported yet")
    for key, least in (("memory", image.min_memory), ("disk", image.min_disk * _MIB_PER_GIB)):
        has = machine.get(key)
        if has is not None and has < least:
            shown, wanted = crosschecks.size(has), crosschecks.size(least)
            reasons.append(f"machine '{machine.base}': image '{name}' needs at least {wanted} of {key}, not {shown}")
    return reasons


class _Work:
    """One planning: what all parts of it look at."""

    def __init__(
        self,
        blueprint: language.Blueprint,
        site: site_.Site,
        plot: int,
        classroom: str,
        seat: plan_.SeatRef,
        values: dict[str, Any],
        urls: dict[str, str],
    ) -> None:
        self.blueprint, self.site, self.plot = blueprint, site, plot
        self.classroom, self.seat, self.values, self.urls = classroom, seat, values, urls
        self.members = inventory.machines(blueprint)
        self.by_name = {machine.name: machine for machine in self.members}
        self.networks = inventory.networks(blueprint)
        self.vnets = {network.name: marks.vnet(plot, index) for index, network in enumerate(self.networks)}
        self.addresses = addressing.assign(blueprint)
        self.groups = inventory.groups(blueprint, self.members, {name: image.family for name, image in site.images.items()})
        self.waits = crosschecks.after(blueprint)
        missing = [name for name in blueprint.variables if name not in values]
        if missing:
            raise errors.BadInput(f"no value for {', '.join(missing)}", hint="draw the values of all variables first")

    def network(self, index: int, network: inventory.Network) -> plan_.PlannedNetwork:
        return plan_.PlannedNetwork(
            name=network.name,
            vnet=self.vnets[network.name],
            tag=marks.tag(self.site, self.plot, index),
            cidr=network.cidr,
            gateway=self._gateway(network),
            domain=network.block.domain,
        )

    def _gateway(self, network: inventory.Network) -> str | None:
        """The address of the machine that is the gateway. labctl's own is not built yet, and without egress nothing needs it."""
        if network.block.gateway not in self.by_name:
            return None
        address = self.addresses.of(network.block.gateway, network.name)
        return None if address is None else str(address)

    def machine(self, index: int, machine: inventory.Machine) -> plan_.PlannedMachine:
        image = self.site.images[machine.get("image")]
        kind = machine.get("kind")
        template = image.of(kind)[0]  # fits() saw to it that there is one
        disk = machine.get("disk")
        return plan_.PlannedMachine(
            name=machine.name,
            vmid=marks.vmid(self.site, self.plot, index),
            node=template.node,
            template=template.vmid,
            kind=kind,
            image=machine.get("image"),
            family=image.family,
            hostname=machine.hostname,
            cpus=machine.get("cpus"),
            memory=machine.get("memory"),
            memory_min=machine.block.memory_min,
            disk=None if disk is None else -(-disk // _MIB_PER_GIB),
            nics=self._nics(index, machine),
            routes=tuple((to, self._via(machine, via)) for to, via in machine.block.routes.items()),
            forwards=machine.block.forwards,
            names=self._names(machine),
            hidden=machine.block.hidden,
            login=machine.get("login"),
            sudo=machine.get("sudo"),
            password=self._password(machine),
            access=machine.get("access"),
            groups=tuple(group for group, names in self.groups.items() if machine.name in names and group != "all"),
            after=self._after(machine),
            nesting=machine.block.nesting,
        )

    def _password(self, machine: inventory.Machine) -> str | None:
        if (written := machine.get("password")) is None:
            return None
        password = references.written(references.resolve(written, self.lookup))
        if not password.isprintable():
            raise errors.BadInput(f"machine '{machine.name}': its password holds a line break or another sign that nobody can type")
        return password

    def _after(self, machine: inventory.Machine) -> tuple[str, ...]:
        written = set(self.waits[machine.base])
        return tuple(
            other.name
            for other in self.members
            if other.base in written and (other.base in machine.block.after or other.name in machine.block.after)
        )

    def _nics(self, index: int, machine: inventory.Machine) -> tuple[plan_.Nic, ...]:
        management = f"{marks.management_address(self.site, self.plot, index)}/{self.site.management.prefixlen}"
        nics = [
            plan_.Nic(index=0, network=None, vnet=self.site.management_vnet, mac=marks.management_mac(self.plot, index), address=management)
        ]
        by_name = {network.name: network for network in self.networks}
        routed = False
        for number, name in enumerate(machine.nics, 1):
            network, address = by_name[name], self.addresses.of(machine.name, name)
            gateway = None
            if address is not None and not routed and network.block.gateway != machine.name:
                gateway = self._gateway(network)
                routed = gateway is not None
            shown = None if address is None else f"{address}/{ipaddress.IPv4Network(network.cidr).prefixlen}"
            mac = marks.lab_mac(self.plot, index, number)
            nics.append(plan_.Nic(index=number, network=name, vnet=self.vnets[name], mac=mac, address=shown, gateway=gateway))
        return tuple(nics)

    def _via(self, machine: inventory.Machine, via: str) -> str:
        hop = crosschecks_networks.next_hop(self.addresses, machine, via) if via in self.by_name else via
        return str(hop)

    def _names(self, machine: inventory.Machine) -> tuple[str, ...]:
        short = dict.fromkeys((machine.name, machine.hostname.lower(), *machine.block.aliases))
        domains = [network.block.domain for network in self.networks if network.name in machine.nics and network.block.domain]
        long = [f"{name}.{domain}" for domain in domains for name in (machine.name, machine.hostname.lower())]
        return tuple(dict.fromkeys((*short, *long)))

    def step(self, step: blueprint_steps.Step) -> plan_.PlannedStep:
        what = step.playbook or step.role or step.script or step.write or "packages"
        content = None if step.content is None else references.written(references.resolve(step.content, self.lookup))
        return plan_.PlannedStep(
            kind=step.kind,
            what=what,
            hosts=inventory.chosen(self.blueprint, step.hosts),
            title=step.title or (f"packages {' '.join(step.packages)}" if step.packages else f"{step.kind} {what}"),
            vars=self._vars(step),
            packages=step.packages or (),
            content=content,
            owner=step.owner,
            mode=step.mode,
            tags=step.tags,
            skip_tags=step.skip_tags,
            timeout=step.timeout,
            bake=step.bake,
        )

    def _vars(self, step: blueprint_steps.Step) -> dict[str, Any]:
        """The step's vars. Ansible runs templates in them on labctl's own machine: authors may write them, values must not."""
        for _, text in references.scattered(step.vars):
            pieces = tuple(references.parts(text))
            written = sum(len(_TEMPLATE.findall(piece)) for piece in pieces if isinstance(piece, str))
            if len(_TEMPLATE.findall(references.written(references.resolve(text, self.lookup)))) > written:
                names = ", ".join(".".join(piece) for piece in pieces if isinstance(piece, tuple))
                raise errors.BadInput(f"the value of {names} holds {{{{, {{% or {{#, which Ansible would run", hint="choose another value")
        made: dict[str, Any] = references.resolve(step.vars, self.lookup)
        return made

    def check(self, check: blueprint_steps.Check) -> plan_.PlannedCheck:
        def text(value: str | None, quote: Any = str) -> str | None:
            return None if value is None else references.written(references.resolve(value, self.lookup, quote))

        return plan_.PlannedCheck(
            kind=check.kind,
            what=text(check.what) or "",
            machine=check.machine or self.members[0].name,
            as_user=check.as_,
            exit=check.exit,
            output=text(check.output, re.escape),
            status=check.status,
            body=text(check.body, re.escape),
            contains=text(check.contains, re.escape),
            absent=check.absent,
            mode=check.mode,
            owner=check.owner,
            message=check.message,
            timeout=check.timeout,
        )

    def lookup(self, path: tuple[str, ...]) -> Any:
        """The value of a reference that the cross-checks found good."""
        if path[0] == "machines":
            return self._of_machine(*path[1:])
        if path[0] == "networks":
            network = next(network for network in self.networks if network.name == path[1])
            return network.cidr if path[2] == "cidr" else self._gateway(network)
        if path[0] == "seat":
            return getattr(self.seat, path[1])
        if path[0] == "apps":
            return self.urls[path[1]]
        return self.classroom if path[0] == "classroom" else self.values[path[0]]

    def _of_machine(self, name: str, field: str) -> str:
        machine = self.by_name[name]
        if field == "hostname":
            return machine.hostname
        networks = machine.nics if field == "address" else (field,)
        return next(str(address) for network in networks if (address := self.addresses.of(name, network)) is not None)
