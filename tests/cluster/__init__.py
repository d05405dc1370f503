"""labctl on a cluster of several nodes (paper, with its real listener and API): who is built where, and elsewhere."""
