"""Verbs: one file for each step of the lifecycle. They reach the world through `labctl.ports` only."""
