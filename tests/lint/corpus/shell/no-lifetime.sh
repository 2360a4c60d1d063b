#!/bin/sh
set -e
TOKEN=$(curl -sf -X PUT http://169.254.169.254/latest/api/token)
curl -sf -H "X-aws-ec2-metadata-token: $TOKEN" http://169.254.169.254/latest/meta-data/instance-id
