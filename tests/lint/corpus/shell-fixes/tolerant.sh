#!/bin/bash
set -eo pipefail
NAME=$(curl -sf http://169.254.169.254/latest/meta-data/tags/instance/Name || echo none)
ID=$(curl -sf http://169.254.169.254/latest/meta-data/instance-id)
echo "$NAME $ID"
