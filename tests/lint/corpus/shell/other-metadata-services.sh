#!/bin/bash
# Vultr's service, and that of Firecracker's microVMs.
curl --fail --silent http://169.254.169.254/v1.json | jq -r .region.regioncode
curl -s http://169.254.169.254/v1/instanceid
token=$(curl -sf -X PUT -H "X-metadata-token-ttl-seconds: 120" http://169.254.169.254/latest/api/token)
curl -sf -H "X-metadata-token: $token" -H "Accept: application/json" http://169.254.169.254/latest/meta-data/jobs
