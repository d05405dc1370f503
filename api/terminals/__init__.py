"""Terminals in the browser: a WebSocket on one side, a channel into a guest on the other (`access.md` 3.1).

`routes` the two addresses · `frames` what is said on the WebSocket · `guests` connections into guests · `shells` what runs there ·
`lobby` who has shown no ticket yet · `viewer` one WebSocket with its channel · `rooms` who is at which terminal, and who may be no more.
The screen is kept by tmux in the guest and nowhere here: this process may die at any moment. Who may is decided in `labctl.terminals`.
"""
