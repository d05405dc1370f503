"""The sandbox node: a small house of its own that speaks the Proxmox API and runs real guests. Imports nothing of labctl.

    python -m labctl.sandbox --help

Floors, from the wire down: `http` and `bodies` (bytes) - `calls` (one call: found, allowed, checked, done) - `endpoints` (what the
methods do) - `register`, `qemu_*`, `lxc_*`, `drives`, `volumes`, `sdn`, `firewall`, `tasks`, `booting` (the nouns) - `state`, `locks` -
`guests` (what makes guests real). `catalogue` with `checking`, `formats` and `property_strings` is the published schema put to work;
`access_control` and `sessions` say who may what; `recovery` puts right what a kill left; `setup` is what IT types once; `situation`
serves recorded tests.

How a client sees that containers stand in for VMs: node status `pveversion` ends in "(labctl sandbox: containers stand in for VMs)",
and a running guest's `status/current` says `running-qemu: "stand-in (container)"`.

The aim is never to be kinder than Proxmox; `python -m tests.vectors.replay` measures it. Not built: backup, HA, migration, consoles,
uploads, agent exec and files, storage changes, clusters, replication, hot-plugging, RAM snapshots; the firewall filters
guests' cards (`enforcing`), not the node itself nor its VNets. A method that is not built answers 501, like a path that does not exist.
"""
