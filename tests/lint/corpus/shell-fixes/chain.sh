#!/bin/sh
test -d / && ID=$(curl -fs http://169.254.169.254/latest/meta-data/instance-id) && echo "$ID"
test -d /none || curl -s http://169.254.169.254/latest/meta-data/ami-id
echo
