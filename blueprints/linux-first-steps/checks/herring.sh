#!/bin/bash
# The copy in the learner's home holds the lines about herring, all of them and in any order.
[ -e arrivals.csv ] || { echo "There is no arrivals.csv in your home yet."; exit 1; }
grep -qv herring arrivals.csv && { echo "There are lines in it that are not about herring."; exit 1; }
cmp -s <(sort arrivals.csv) <(grep herring course/library/arrivals.csv | sort) || { echo "A line about herring is missing, or changed."; exit 1; }
