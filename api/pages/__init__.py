"""Pages that people see: HTML by templates, every action a form that works without JavaScript.

A route here parses, hands over to the middle of the house, and renders. No decisions, no JSON (that is `api.routes_*`), no text of its own
(that is `api.texts`).
"""
