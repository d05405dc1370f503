"""What labctl has to do with outside its own rows: broker, site, guests, authorities, other people's programs."""

from __future__ import annotations

import os
import pwd
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from labctl import errors, ports, task_ports
from labctl.drivers import broker as broker_
from labctl.drivers import hands as hands_
from labctl.drivers import traces as traces_
from labctl.model import site as site_
from labctl.steps import kit as kit_
from labctl.wiring.stores import Stores

if TYPE_CHECKING:
    from labctl import people_ports
    from labctl.drivers import bell as bell_
    from labctl.drivers import shelf as shelf_
    from labctl.drivers import ssh_ca, ssh_kept
    from labctl.drivers.proxmox import console

# Drivers that import much (pulumi, ansible, paramiko, celery) are imported where they are built: `labctl status` needs none.

DOOR_ACCOUNT = "labctl-door"
"""The account that the SSH door runs as."""

APPS_ACCOUNT = "labctl-apps"
"""The account that the proxy of web apps runs as."""

FEWEST, EACH_NODE = 16, 4
"""Environments at work at once: at least so many, and so many for each node. A seat takes a cluster some 50 s, most of them boots."""


class Outside(Stores):
    """See the module."""

    @cached_property
    def broker(self) -> broker_.Broker:
        """Which broker there is."""
        return broker_.Broker(self.settings.home / "run", self.settings.broker)

    @cached_property
    def bell(self) -> ports.Bell:
        """Wakes a worker."""
        from labctl.drivers import bell

        return bell.CeleryBell(self.broker.url, sweep_seconds=self.settings.sweep_seconds)

    @cached_property
    def site(self) -> site_.Site:
        """The site's facts. Raises NotFound before `labctl up` or IT wrote them."""
        from labctl.drivers import shelf

        return shelf.read_site(self.settings.site_file).model_copy(update={"apps": self.settings.apps_site})

    @cached_property
    def paper(self) -> bool:
        """Whether guests of this site have no substance. Without a site there are none at all."""
        try:
            return self.site.guests == "paper"
        except errors.NotFound:
            return False

    @cached_property
    def shelf(self) -> shelf_.Shelf:
        """Blueprints."""
        from labctl.drivers import shelf

        roots = tuple(self.settings.blueprints) or (Path(__file__).resolve().parents[2] / "blueprints",)
        return shelf.Shelf(roots, self.settings.home / "shelf")

    @cached_property
    def authority(self) -> ssh_ca.Authority:
        """Labctl's SSH certificate authorities."""
        from labctl.drivers import ssh_ca

        return ssh_ca.Authority(self.settings.home / "secrets", self.door_address)

    @cached_property
    def door_address(self) -> ssh_ca.DoorAddress:
        """Where learners find the SSH door."""
        from labctl.drivers import ssh_ca

        host, _, port = self.settings.door_address.partition(":")
        dialled = host or ("127.0.0.1" if self.settings.door_host == "0.0.0.0" else self.settings.door_host)
        return ssh_ca.DoorAddress(dialled, int(port) if port else self.settings.door_port, f"door.{self.settings.installation}.lab")

    @cached_property
    def keys(self) -> ports.Keys:
        """Learners' files."""
        if self.paper:
            from labctl.drivers import paper

            return paper.Keys()
        return self.authority

    @cached_property
    def provisioner(self) -> ports.Provisioner:
        """Existence of guests, networks and pools."""
        from infra import provisioner

        state, passphrase = self.settings.home / "state", self.settings.home / "secrets" / "pulumi-passphrase"
        return provisioner.Provisioner(self.site, state, self.settings.engine, passphrase, self.authority.deploy_public())

    @cached_property
    def wire(self) -> ports.Wire:
        """Labctl's side of the management network."""
        if self.paper:
            from labctl.drivers import paper

            return paper.Wire()
        from labctl.drivers import wire

        return wire.Wire(self.site, _accounts())

    @cached_property
    def prober(self) -> ports.Prober:
        """First contact and proof."""
        if self.paper:
            from labctl.drivers import paper

            return paper.Prober(self.site, self.site.paper_speed)
        from labctl.drivers import ssh, ssh_isolation

        walls = ssh_isolation.Walls(self.site, (self.settings.door_port, self.settings.api_port))
        return ssh.Prober(self.site, self.authority, kept=self.kept, walls=walls)

    @cached_property
    def kept(self) -> ssh_kept.Kept:
        """Connections to guests that stay open from one step to the next."""
        from labctl.drivers import ssh_kept

        return ssh_kept.Kept()

    @cached_property
    def configurator(self) -> ports.Configurator:
        """Ansible."""
        if self.paper:
            from labctl.drivers import paper

            return paper.Configurator(self.site.paper_speed)
        from labctl.drivers import ansible, gates

        work, turns = self.settings.home / "ansible", gates.Gates(self.settings.home / "state" / "gates")
        hosts = tuple(self.settings.packages_hosts)
        return ansible.Configurator(self.site, self.authority, work, self.settings.forks, hosts, kept=self.kept, gates=turns)

    @cached_property
    def traces(self) -> kit_.Traces:
        """Labctl's own files of an environment."""
        return traces_.Traces(bundles=self.settings.home / "bundles", ansible=self.settings.home / "ansible")

    @cached_property
    def consoles(self) -> console.Consoles:
        """Guests' own screens. Raises NotFound before there is a site."""
        from labctl.drivers.proxmox import client, console

        return console.Consoles(self.site.cluster, client.Client(self.site.cluster, timeout=20, patience=5))

    @cached_property
    def guest_port(self) -> int:
        """Where guests' sshd listens; tests have theirs elsewhere."""
        return 22

    @cached_property
    def workers(self) -> int:
        """Environments at work at once, in all of the worker's processes together."""
        if self.settings.workers:
            return self.settings.workers
        try:
            return max(FEWEST, EACH_NODE * len(self.site.nodes))
        except errors.NotFound:
            return FEWEST

    @cached_property
    def places(self) -> int:
        """Environments that one of the worker's processes may have at work at once."""
        return max(1, -(-self.workers // self.settings.processes))

    @cached_property
    def examiner(self) -> task_ports.Examiner:
        """Looks into machines for tasks."""
        if self.paper:
            from labctl.drivers import paper

            return paper.Examiner()
        from labctl.drivers import ssh_examiner

        return ssh_examiner.Examiner(self.authority)

    @cached_property
    def hands(self) -> task_ports.Hands:
        """Do what learners press for, a few at a time."""
        return hands_.Hands(self.settings.looks)

    @cached_property
    def provider(self) -> people_ports.IdentityProvider | None:
        """Where people sign in who have no account of labctl's own. Raises NotFound, Forbidden (the secret's file)."""
        from labctl.drivers import oidc

        chosen = self.settings
        return oidc.Provider.of(
            chosen.oidc_issuer,
            chosen.oidc_client_id,
            chosen.oidc_client_secret_file,
            oidc.Asked(chosen.oidc_scopes, chosen.oidc_groups_claim),
            self.clock,
        )

    @cached_property
    def origin(self) -> str:
        """Where browsers find labctl: scheme, host and port, nothing behind."""
        return self.settings.url or f"http://{self.settings.api_host.replace('127.0.0.1', 'localhost')}:{self.settings.api_port}"

    def celery(self) -> bell_.Application:
        """Celery on this installation's broker, without tasks."""
        from labctl.drivers import bell

        return bell.application(self.broker.url, sweep_seconds=self.settings.sweep_seconds, watch_seconds=self.settings.watch_seconds)


def _accounts() -> tuple[int, ...]:
    """Who may open connections to guests: labctl itself, its door and its proxy of web apps."""
    others = [one.pw_uid for one in pwd.getpwall() if one.pw_name in {DOOR_ACCOUNT, APPS_ACCOUNT}]
    return (os.getuid(), *others)
