"""labctl turns a lab blueprint into a class of working machines. The rooms are described in ARCHITECTURE.md."""
