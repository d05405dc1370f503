"""The API: JSON routes and server-sent events. Doors are thin: parse, hand over to the desk, translate."""
