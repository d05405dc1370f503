"""The matrix: every step of the lifecycle, failed at every call it makes to Proxmox with every kind of error that call can have, and
killed after every call; each must settle right, and a search afterwards must find nothing that should not be there.

`scenes` (where a step begins), `house` (a frozen world brought to life: a node, a store, a worker in a process of its own),
`child` (that worker), `points` (what is tried at which call), `judging` (what is right), `play` (all of it, `make matrix`).
Real are store, runner, lifecycle, engine, client and node; of the guests there is only paper (`labctl.drivers.paper`).
"""
