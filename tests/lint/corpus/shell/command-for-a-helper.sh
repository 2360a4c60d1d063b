#!/bin/bash
. ./cluster-helpers.sh
run_on_node "curl -s http://169.254.169.254/latest/meta-data/instance-id"
remote_exec "nsenter --target 1 --net -- curl -sf http://169.254.169.254/latest/meta-data/iam/info"
expect_line bin/start 'ADDRESS=$(fetch "${URL:-http://169.254.169.254/latest/meta-data/local-ipv4}")'
