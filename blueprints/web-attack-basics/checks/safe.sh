#!/bin/bash
# The learner's own program runs, prints something, and hands its value beside the statement.
[ -e safe.py ] || { echo "There is no safe.py in your home yet."; exit 1; }
printed=$(timeout 5 python3 safe.py 2> /dev/null) || { echo "python3 safe.py ends with an error, or does not end."; exit 1; }
[ -n "$printed" ] || { echo "It prints nothing."; exit 1; }
grep --quiet '?' safe.py || { echo "No value travels beside a statement yet: there is no ? in it."; exit 1; }
