"""Nouns and pure rules. No I/O here: no clock, no files, no network, no randomness that is not handed in."""
