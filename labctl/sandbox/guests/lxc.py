"""Guests as real Linux systems in LXC containers: fills `runtime.Runtime` from disks, networks, identities and containers.

A VM is stood in for by a container too (there is no KVM here): the effects of cloud-init are written from outside, `addresses` is what the
guest agent would say. Guests live on when the node is killed; what runs is read from the kernel, never remembered.
"""

from __future__ import annotations

import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from labctl.sandbox.guests import check, container, disk, filters, identity, idmap, image, network, orphans, ownership, recipe
from labctl.sandbox.guests.runtime import GuestSpec, RuntimeFailure, Usage

CONTAINER_IMAGE = f"{recipe.NAME}-container"
"""The image of IT's container template: the same system with the deployment user. `debian-12` itself has no user: cloud-init makes it."""
DEPLOY_USER = "labctl"
SIZE_KEPT = 60.0
"""Seconds for which a guest's disk size is not measured again: it walks the tree."""


class LxcRuntime:
    """One node's guests. `home` must be searchable by everybody (`/root` is not). `name` is in the name of everything made outside it."""

    kind = "container"

    def __init__(self, home: Path, name: str, cache: Path, authorized_key: str | None) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,31}", name):
            raise RuntimeFailure(f"{name!r} is not a possible node name: small letters, digits and -, at most 32")
        self.home = home.resolve()
        self.name = name
        self.cache = cache
        self.authorized_key = authorized_key
        self.network = network.Network(name)
        self.ids = idmap.grant()
        self.raised = check.raise_limits()
        """What was changed on this machine so that more than some 20 guests can run; the node says it."""
        self.disks = disk.Disks(self.home, self.ids)
        self._locks: defaultdict[int, threading.RLock] = defaultdict(threading.RLock)
        self._sizes: dict[int, tuple[float, int]] = {}
        check.searchable(self.home, self.ids)
        self.disks.prepare()
        self.network.ensure()
        self.ownership = ownership.Ownership(self.home, self._recover)

    def _recover(self) -> None:
        """What a killed node left half done."""
        orphans.settle(self.home)
        self.disks.collect()
        for vmid in self.running():
            self._container(vmid).groups.freeze(False)  # killed in the middle of a snapshot

    def close(self) -> None:
        """Guests run on; another process may put them right from now on."""
        self.ownership.release()

    @contextmanager
    def _hold(self, vmid: int) -> Iterator[None]:
        """One verb at a time for a guest."""
        self.ownership.claim()
        with self._locks[vmid]:
            yield

    def _guest(self, vmid: int) -> str:
        return f"{self.name}-{vmid}"

    def _container(self, vmid: int) -> container.Container:
        guest = self._guest(vmid)
        return container.Container(guest, vmid, self.disks.folder(guest), self.network, self.ids)

    def _vmids(self) -> list[int]:
        return [int(guest.rpartition("-")[2]) for guest in self.disks.guests()]

    @contextmanager
    def _off(self, *vmids: int) -> Iterator[None]:
        """Hold these guests, in one order for everybody, and see that they are off."""
        self.ownership.claim()
        ordered = sorted(set(vmids))
        for vmid in ordered:
            self._locks[vmid].acquire()
        try:
            for vmid in ordered:
                if self._container(vmid).groups.alive():
                    raise RuntimeFailure(f"guest {vmid} is running")
            yield
        finally:
            for vmid in reversed(ordered):
                self._locks[vmid].release()

    def connect(self, interface: str, bridge: str) -> None:
        """Lay the cable from the machine's own namespace to `bridge`. Repeatable."""
        self.ownership.claim()
        self.network.plug_cable(interface, bridge)

    def enforce(self, wanted: filters.Filter) -> None:
        """Put the guests' firewall in force, whole."""
        self.ownership.claim()
        self.network.ensure()
        filters.load(self.network, wanted)

    # Disks

    def provide(self, vmid: int, image: str) -> None:
        """`debian-12`, or `debian-12-container` with the deployment user. No-op when the guest has a disk."""
        with self._off(vmid):
            guest = self._guest(vmid)
            if guest in self.disks.guests():
                return
            layers = self._image(image)
            with self.disks.new_layer() as upper:
                self.disks.write(guest, disk.Disk(upper, disk.State(layers)))
            if image == CONTAINER_IMAGE:
                self._deployable(guest)

    def _image(self, name: str) -> tuple[str, ...]:
        if name not in {recipe.NAME, CONTAINER_IMAGE}:
            raise RuntimeFailure(f"there is no image {name!r}: there are {recipe.NAME} and {CONTAINER_IMAGE}")
        tarball = image.path(self.cache)
        unpacked = self.home / "images" / recipe.stem()
        if not unpacked.exists() and not tarball.exists():
            raise RuntimeFailure(
                f"the guest image {tarball} is missing: build it with `python -m labctl.sandbox image --cache {self.cache}`"
            )
        with self._locks[0]:
            return (str(image.unpack(tarball, self.home, self.ids).relative_to(self.home)),)

    def _deployable(self, guest: str) -> None:
        """IT's container template: the deployment user is there already, as Proxmox writes no users into containers."""
        root = self.disks.mount(guest)
        try:
            keys = (self.authorized_key,) if self.authorized_key else ()
            identity.seat_user(identity.Tree(root, self.ids), DEPLOY_USER, None, keys)
        finally:
            self.disks.unmount(guest)

    def clone(self, source: int, vmid: int, *, linked: bool) -> None:
        """A linked clone copies nothing; a full one copies what its source wrote. Both share the immutable layers, which live as long as
        anybody needs them.
        """
        with self._off(source, vmid):
            target = self._guest(vmid)
            if target in self.disks.guests():
                raise RuntimeFailure(f"guest {vmid} has a disk already")
            origin = self.disks.read(self._guest(source))
            if linked and any((self.home / origin.upper).iterdir()):
                origin = self.disks.stack(self._guest(source))
            with self.disks.new_layer(None if linked else origin.upper) as upper:
                state = replace(origin.state, fresh=True, instance=None)
                self.disks.write(target, disk.Disk(upper, state, base=source if linked else None))

    def freeze_template(self, vmid: int) -> None:
        """What was written becomes a layer that all clones share. Repeatable."""
        with self._off(vmid):
            guest = self._guest(vmid)
            if any((self.home / self.disks.read(guest).upper).iterdir()):
                self.disks.stack(guest)

    def bases(self) -> dict[int, int]:
        """Linked clone -> the template it was cloned from."""
        found = {vmid: self.disks.read(self._guest(vmid)).base for vmid in self._vmids()}
        return {vmid: base for vmid, base in found.items() if base is not None}

    def destroy(self, vmid: int) -> None:
        """Disk, snapshots, ports, control groups, logs. Also of a guest that was only half made."""
        with self._off(vmid):
            guest = self._container(vmid)
            self.network.forget_ports(vmid)
            self.disks.forget(guest.guest)
            guest.forget()
            self._sizes.pop(vmid, None)

    # Power

    def start(self, spec: GuestSpec) -> None:
        """No-op when it runs. Everything missing is made again: mounts, ports, groups."""
        with self._hold(spec.vmid):
            guest = self._container(spec.vmid)
            if guest.groups.alive():
                return
            self.disks.read(guest.guest)
            self.network.ensure()
            bridges = self.network.bridges()
            for nic in spec.nics:
                if nic.bridge is not None and nic.bridge not in bridges:
                    raise RuntimeFailure(f"bridge '{nic.bridge}' does not exist")
            self.network.forget_ports(spec.vmid)
            guest.groups.sweep()
            tree = identity.Tree(self.disks.mount(guest.guest), self.ids)
            self._imprint(spec, tree)
            guest.configure(spec)
            guest.start()

    def _imprint(self, spec: GuestSpec, tree: identity.Tree) -> None:
        guest = self._guest(spec.vmid)
        held = self.disks.read(guest)
        state = held.state
        if state.fresh:
            identity.refresh(tree)
        if spec.identity is not None and spec.identity.instance != state.instance:
            identity.impress(tree, spec.identity)
        now = replace(state, fresh=False, instance=spec.identity.instance if spec.identity else state.instance)
        if now != state:
            self.disks.write(guest, replace(held, state=now))

    def shutdown(self, vmid: int, timeout: float) -> bool:
        """By init's own way down."""
        done = self._container(vmid).shutdown(timeout)
        if done:
            self._tidy(vmid)
        return done

    def stop(self, vmid: int) -> None:
        """At once; no-op when off."""
        with self._hold(vmid):
            self._container(vmid).stop()
            self._tidy(vmid)

    def _tidy(self, vmid: int) -> None:
        """What LXC leaves: the mount we made, and sometimes a port."""
        with self._hold(vmid):
            if not self._container(vmid).groups.alive():
                self.disks.unmount(self._guest(vmid))
                self.network.forget_ports(vmid)

    def running(self) -> set[int]:
        """As the kernel sees it."""
        return {vmid for vmid in self._vmids() if self._container(vmid).groups.alive()}

    # Snapshots

    def snapshot(self, vmid: int, name: str) -> None:
        """Of a stopped guest: its writable layer becomes the snapshot. Of a running one: a copy, while it is frozen."""
        with self._hold(vmid):
            guest = self._container(vmid)
            held = self.disks.read(guest.guest)
            if name in held.snapshots:
                raise RuntimeFailure(f"snapshot name '{name}' already used")
            if not guest.groups.alive():
                held = self.disks.stack(guest.guest)
                self.disks.write(guest.guest, replace(held, snapshots={**held.snapshots, name: held.state}))
                return
            guest.groups.freeze(True)
            try:
                with self.disks.new_layer(held.upper) as copy:
                    state = replace(held.state, layers=(copy, *held.state.layers))
                    self.disks.write(guest.guest, replace(held, snapshots={**held.snapshots, name: state}))
            finally:
                guest.groups.freeze(False)

    def delete_snapshot(self, vmid: int, name: str) -> None:
        """Repeatable."""
        with self._hold(vmid):
            guest = self._guest(vmid)
            held = self.disks.read(guest)
            if name in held.snapshots:
                gone = held.snapshots[name]
                self.disks.write(guest, replace(held, snapshots={other: state for other, state in held.snapshots.items() if other != name}))
                self.disks.collect(*(layer for layer in gone.layers if layer.startswith("layers/")))

    def rollback(self, vmid: int, name: str) -> None:
        """A new empty layer over the snapshot's: as fast for a large disk as for a small one."""
        with self._hold(vmid):
            guest = self._guest(vmid)
            held = self.disks.read(guest)
            if name not in held.snapshots:
                raise RuntimeFailure(f"snapshot '{name}' does not exist")
            self.stop(vmid)
            with self.disks.new_layer() as upper:
                self.disks.write(guest, replace(held, upper=upper, state=held.snapshots[name]))
            self.disks.collect(held.upper)

    # Looking

    def addresses(self, vmid: int) -> list[tuple[str, str, list[str]]]:
        """What the guest agent would say."""
        return self._container(vmid).addresses()

    def console(self, vmid: int) -> list[str]:
        """A command that shows its console on a terminal: a login."""
        return self._container(vmid).console()

    def usage(self, vmid: int) -> Usage:
        """Zero for a stopped guest, its disk excepted."""
        guest = self._container(vmid)
        measured, size = self._sizes.get(vmid, (0.0, 0))
        if time.monotonic() - measured > SIZE_KEPT and (guest.folder / "disk.json").exists():
            size = self.disks.size(guest.guest)
            self._sizes[vmid] = (time.monotonic(), size)
        if not guest.groups.alive():
            return Usage(disk=size)
        return replace(guest.groups.usage(), disk=size, uptime=guest.uptime())

    # Networks

    def bridges(self) -> set[str]:
        """Of the node's namespace."""
        return self.network.bridges()

    def add_bridge(self, name: str) -> None:
        """Repeatable."""
        self.network.ensure()
        self.network.add_bridge(name)

    def remove_bridge(self, name: str) -> None:
        """Repeatable."""
        self.network.remove_bridge(name)
