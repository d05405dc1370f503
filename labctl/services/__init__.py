"""labctl's own processes on this machine: brought up, looked at, taken down. What they do with classes is not known here.

`processes` one detached process · `parts` which ones labctl has · `node` the sandbox node and `site.yaml` · `owner` who
runs labctl in a home · `taken` what somebody else has · `up`, `down`, `state`, `doctor` the verbs of the same names.
"""
