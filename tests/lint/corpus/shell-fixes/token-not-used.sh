#!/bin/bash -e
TOKEN=$(curl -sf -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" http://169.254.169.254/latest/api/token)
ID=$(curl -sf -H "X-aws-ec2-metadata-token: $TOKEN" http://169.254.169.254/latest/meta-data/instance-id)
AMI=$(curl -sf http://169.254.169.254/latest/meta-data/ami-id)
echo "$ID $AMI"
