#!/bin/sh
# The service runs and its log has lines.
systemctl is-active --quiet heartbeat.service || { echo "heartbeat.service is $(systemctl is-active heartbeat.service)"; exit 1; }
journalctl --quiet --unit heartbeat.service --grep 'beat [0-9]' --lines 1 --no-pager | grep -q beat || { echo "its log is empty"; exit 1; }
