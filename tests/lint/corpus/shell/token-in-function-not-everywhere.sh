#!/bin/bash
set -e
get_token() {
  TOKEN=$(curl -sf -X PUT "http://169.254.169.254/latest/api/token" -H "X-aws-ec2-metadata-token-ttl-seconds: 21600")
}
get_token
role=$(curl -sf -H "X-aws-ec2-metadata-token: $TOKEN" http://169.254.169.254/latest/meta-data/iam/security-credentials/)
creds=$(curl -sf http://169.254.169.254/latest/meta-data/iam/security-credentials/$role)
echo "$creds" | jq -r .AccessKeyId
