"""The Proxmox VE API as labctl needs it, over proxmoxer; the only place that imports proxmoxer.

Here live: the connection (`client`), what its answers mean (`answers`), tasks (`tasks`), cross-process turns (`turns`) and
verbs on pools, networks and guests that may be repeated. Not here: what a plan needs (`infra.program`), the order of things
(`infra.engines`), and any choice of a step (`labctl.model.lifecycle`).
"""
