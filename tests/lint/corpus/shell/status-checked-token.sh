#!/bin/bash
code=$(curl -s -o /run/imds-token -w '%{http_code}' -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 600' http://169.254.169.254/latest/api/token)
if [ "$code" != 200 ]; then
  echo "no token: HTTP $code" >&2
  exit 1
fi
curl -sf -H "X-aws-ec2-metadata-token: $(cat /run/imds-token)" http://169.254.169.254/latest/meta-data/tags/instance/Name
