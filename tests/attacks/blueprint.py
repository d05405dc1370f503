"""The course that is attacked: texts in it are hostile too, for authors may be."""

SCRIPT = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"><svg onload=\"document.title='owned'\">"
"""What must never become markup, wherever it stands."""

BLUEPRINT = """\
labctl: 1
about: {title: A course that is attacked, area: cybersecurity}
machines:
  box: {image: debian-12, kind: vm, memory: 192M, access: [terminal, desktop]}
  store: {image: debian-12, kind: container, memory: 192M, access: []}
configure:
  - {script: screen.sh, hosts: [box]}
  - {script: trap.sh, hosts: [box]}
apps:
  trap: {machine: box, port: 8000, title: A trap}
ready:
  - {run: "test -d /home/learner", machine: box}
"""

GUIDE = f"""\
# {SCRIPT} Welcome

Text {SCRIPT} and [a link](javascript:document.title='owned') and [another](data:text/html,{SCRIPT}).

```bash run machine=box
echo "{SCRIPT}"
```
"""

LEARNERS = ("ada", "grace", "mallory")
"""Seats 1, 2 and 3 of the class. Mallory attacks; what they attack is grace's. Ada's guest is the one that turns against its visitors."""

ROSTER = f"""name,email,login
Ada {SCRIPT.split("<img", maxsplit=1)[0]},ada@example.org,ada
Grace Hopper,grace@example.org,grace
Mallory,mallory@example.org,mallory
"""
BRIEF = "name,email,login\nBert,bert@example.org,bert\n"
