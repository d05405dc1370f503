"""Engines: `pulumi` (the real CLI) and `embedded` (the same program and the same state, no CLI)."""
