"""Real guests for the sandbox node: images, networks, containers. Blocking code only; knows nothing of HTTP."""
