#!/bin/bash
TOKEN=$(curl -sf -X PUT http://169.254.169.254/latest/api/token -H "X-aws-ec2-metadata-token-ttl-seconds: 60") || exit 1
curl -fsSL -H "X-aws-metadata-token: $TOKEN" http://169.254.169.254/latest/user-data
