"""People's ways through labctl in a real browser, on a real labctl with real guests. Run by `make journeys`, not by pytest."""
