#!/usr/bin/env bash
set -o errexit -o nounset
endpoint=${IMDS_ENDPOINT:-169.254.169.254}
cache=/run/imds-token
if [ ! -s "$cache" ]; then
  curl --silent --show-error --retry 5 -o "$cache" \
    -H "X-aws-ec2-metadata-token-ttl-seconds: ${TTL:-900}" -X PUT "http://$endpoint/latest/api/token"
fi
curl --silent --show-error --retry 5 --write-out '\n' \
  -H "X-aws-ec2-metadata-token: $(cat "$cache")" "http://$endpoint/${1#/}"
