"""`python -m labctl.cli`: the same as `labctl`."""

from labctl import cli

cli.main()
