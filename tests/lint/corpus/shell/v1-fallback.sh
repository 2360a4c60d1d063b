#!/bin/bash
TOKEN=$(curl -s -f -m 1 -X PUT "http://169.254.169.254/latest/api/token" -H "X-aws-ec2-metadata-token-ttl-seconds: 21600")
if [ -n "$TOKEN" ]; then
  INSTANCE_ID=$(curl -sf -H "X-aws-ec2-metadata-token: $TOKEN" http://169.254.169.254/latest/meta-data/instance-id) || exit 1
else
  INSTANCE_ID=$(curl -sf http://169.254.169.254/latest/meta-data/instance-id) || exit 1
fi
echo "$INSTANCE_ID"
