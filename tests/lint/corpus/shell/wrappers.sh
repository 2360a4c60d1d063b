#!/bin/bash
retry() { for i in 1 2 3; do "$@" && return 0; sleep 1; done; return 1; }
id=$(timeout 5 curl -s http://169.254.169.254/latest/meta-data/instance-id)
nice -n 10 sudo wget -q http://169.254.169.254/latest/meta-data/mac -O /run/mac
env LANG=C curl -s http://169.254.169.254/latest/dynamic/instance-identity/document
echo http://169.254.169.254/latest/meta-data/ami-id | xargs -n1 curl -s
echo "$id"
