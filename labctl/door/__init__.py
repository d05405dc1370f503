"""The SSH door: a jump host and, for learners without a key, a relay; bytes in, bytes out, after asking who may (`access.md` 2.3).

A process of its own under an account of its own. It holds no secret but its own host key and a token with which it asks labctl's
API (`asking`); it has no shell, no files and no way to any address but the machines of the seat that somebody proved to be theirs.
`server` one connection · `relay` a session carried into a guest · `forwarding` a channel carried to a guest · `limits` caps and
quotas · `watching` closes what may be no more. Who may do what is decided behind the API, in `labctl.entering`.
"""
