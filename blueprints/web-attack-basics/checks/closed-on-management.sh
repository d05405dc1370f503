#!/bin/bash
# The shop listens on one address and one card only; its own management address refuses port 80.
listening=$(ss --no-header --listening --numeric --tcp 'sport = :80')
[ "$(wc -l <<< "$listening")" = 1 ] || { echo "expected one socket on port 80, found: $listening"; exit 1; }
[[ $listening == *10.10.10.20* ]] || { echo "not on the lab address: $listening"; exit 1; }
management=$(ip -4 -oneline address show dev eth0 | sed -n 's/.*inet \([0-9.]*\).*/\1/p')
[ -n "$management" ] || { echo "no management address found"; exit 1; }
if timeout 2 bash -c "exec 3<>/dev/tcp/$management/80" 2> /dev/null; then echo "port 80 answers on $management"; exit 1; fi
