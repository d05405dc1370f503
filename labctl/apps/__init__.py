"""The proxy of web apps: a seat's notebook, editor or shop at a host name of its own (`access.md` 5). Bytes in, bytes out, after asking.

A process of its own under an account of its own. It holds no secret but a token with which it asks labctl's API (`asking`), and it goes
into guests by certificates that carry channels and open no shell. One request a connection, so there is nothing to smuggle into.
`heads` what is said at the head of requests and answers, pure · `bodies` what follows them · `proxy` one connection · `visits` who is
known here just now, and who may stay no more · `guests` connections into guests · `words` what people read who are not let in. Who may
look at what is decided behind the API, in `labctl.visiting`.
"""
