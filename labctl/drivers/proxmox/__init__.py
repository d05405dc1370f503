"""The Proxmox VE API as labctl needs it, over proxmoxer; the only place that imports proxmoxer.

Here live: the connection (`client`), what its answers mean (`answers`), tasks (`tasks`), the gates and waves in which many go at once
(`cluster`), and verbs on pools, networks, guests and snapshots that may be repeated. Not here: what a plan needs (`infra.program`), the
order of things (`infra.engines`), and any choice of a step (`labctl.model.lifecycle`).
"""
