"""The site: what IT decided once about the cluster and labctl's ranges on it. A value; `drivers.shelf` reads it."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

SLOTS_PER_PLOT = 32
"""24 machines, the gateway, and room (`access.md` 1.2)."""

NETWORKS_PER_PLOT = 16
"""The most networks a blueprint may have (`blueprint.md` 5)."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Template(_Frozen):
    """Where an image's template is: the node that holds it and its VMID there."""

    node: str
    vmid: int = Field(ge=100, le=999_999_999)


class Image(_Frozen):
    """One entry of the image catalogue (`blueprint.md` 5), as far as the main job uses it. Sizes in MiB and GiB. `vm` and `container` are
    its templates of that kind: one where the storage is shared, else one for each node that can carry guests of it.
    """

    family: Literal["linux", "windows", "other"] = "linux"
    min_memory: int = 128
    min_disk: int = 1
    vm: tuple[Template, ...] = ()
    container: tuple[Template, ...] = ()
    note: str = ""

    @field_validator("vm", "container", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        """A single template may be written without a list around it, and none at all as an empty block."""
        if value is None:
            return ()
        return (value,) if isinstance(value, Template | dict) else value

    def of(self, kind: str) -> tuple[Template, ...]:
        """Its templates of that kind; empty where it has none."""
        return self.vm if kind == "vm" else self.container


class Cluster(_Frozen):
    """How to reach Proxmox. `secret_file` and `ca_file` are paths; no secret is ever in this value."""

    url: str = "https://127.0.0.1:8006"
    user: str = "labctl@pve"
    token: str = "lab"  # noqa: S105  (the name of a token, not its secret)
    secret_file: str
    ca_file: str


class Site(_Frozen):
    """One installation of labctl on one cluster: own pool, zone, storage and VMID range (`client-sequence.md` 3)."""

    installation: str = Field(default="labctl", pattern=r"^[a-z][a-z0-9-]{0,15}$")
    cluster: Cluster
    guests: Literal["real", "paper"] = "real"
    """Whether guests have substance. Nobody can log in to paper guests: they exist to try the control plane at sizes no machine has."""
    paper_speed: float = Field(default=1.0, gt=0, le=10_000)
    """How many times faster than ours the clock of a paper cluster runs."""
    pool: str = "labs"
    storage: str = "lab"
    zone: str = "labs"
    zone_type: Literal["vlan", "vxlan", "simple"] = "vlan"
    management_vnet: str = "labmgmt"
    management: IPv4Network = IPv4Network("100.64.0.0/16")
    management_interface: str = "labmgmt"
    vmid_base: int = 100_000
    apps: str = ""
    """Where web apps of seats have their addresses ("https://apps.example.org"), as `wiring` gathers it from settings; empty: nowhere."""
    images: dict[str, Image] = Field(default_factory=dict)

    @property
    def nodes(self) -> frozenset[str]:
        """Nodes that hold a template of an image: those that are known without asking the cluster."""
        return frozenset(template.node for image in self.images.values() for template in (*image.vm, *image.container))

    @property
    def own_address(self) -> IPv4Address:
        """Labctl's own address on the management network: slot 1 of plot 0."""
        return self.management.network_address + 1

    @property
    def plots(self) -> range:
        """Plots that fit the management range and the zone's tags (VLAN tags end at 4094); plot 0 is labctl's own."""
        by_address = self.management.num_addresses // SLOTS_PER_PLOT - 1
        by_tag = {"vlan": 4094 // NETWORKS_PER_PLOT - 1, "vxlan": 2**24 // NETWORKS_PER_PLOT - 1}.get(self.zone_type, by_address)
        return range(1, min(by_address, by_tag) + 1)
