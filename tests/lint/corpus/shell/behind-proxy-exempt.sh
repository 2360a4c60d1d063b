#!/bin/bash
set -e
export http_proxy=http://proxy.internal:3128
export NO_PROXY=localhost,127.0.0.1,169.254.169.254,.internal
TOKEN=$(curl -sf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token)
curl -sf -H "X-aws-ec2-metadata-token: $TOKEN" http://169.254.169.254/latest/meta-data/
