"""The release of Proxmox VE that this node speaks (`proxmox-truth.md`, sources)."""

from __future__ import annotations

VERSION = {"version": "9.2.11", "release": "9.2", "repoid": "14a22df3e0000000"}
