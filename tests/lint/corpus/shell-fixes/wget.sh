#!/bin/sh
ID=$(wget -q -O - http://169.254.169.254/latest/meta-data/instance-id) || exit 1
wget -qO zone http://169.254.169.254/latest/meta-data/placement/availability-zone
echo "$ID $(cat zone)"
