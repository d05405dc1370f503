"""The paper cluster: many nodes in one process, guests without substance, modelled times, sizes and limits.

Belongs here: what the cluster is made of (`description`), its clock (`clock`), how long acts take and what they wait for (`acts`),
what its guests are (`ledger`) and its figures (`hardware`). The API is the sandbox node's own; nothing here answers calls.
"""
