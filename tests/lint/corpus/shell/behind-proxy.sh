#!/bin/bash
set -e
export http_proxy=http://proxy.internal:3128 https_proxy=http://proxy.internal:3128
curl -sf https://example.com/packages.txt -o /tmp/packages.txt
TOKEN=$(curl -sf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token)
