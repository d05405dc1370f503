"""The sandbox node: a small house of its own that speaks the Proxmox API and runs real guests. Imports nothing of labctl."""
