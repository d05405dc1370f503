"""One outside tool each. A driver fills a port; it decides nothing about the lifecycle."""
