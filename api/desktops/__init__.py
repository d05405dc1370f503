"""Desktops in the browser: a WebSocket on one side, a VNC server on the other (`access.md` 4).

`routes` the address · `greeting` the handshake with the page · `messages` what a page says afterwards, and what of it passes · `sources`
where the picture comes from · `viewer` one WebSocket with its desktop. Who is there and who may be no more is kept in
`api.terminals.rooms`, who may at all is decided in `labctl.terminals`. Nothing of Proxmox ever reaches the page.
"""
