#!/bin/bash
mac=$(curl --silent \
  --retry 3 \
  http://169.254.169.254/latest/meta-data/mac) || {
  echo "no mac" >&2
  exit 1
}
vpc="$(curl --silent "http://169.254.169.254/latest/meta-data/network/interfaces/macs/$mac/vpc-id")" # ünïcode
export REGION="$(curl -s http://169.254.169.254/latest/meta-data/placement/region)"
echo "$mac $vpc $REGION"
