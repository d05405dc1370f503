"""How machines come to exist: program (plan -> resources), provider (resources -> Proxmox), engines."""
