#!/usr/bin/env bash
set -eu
IMDS=http://169.254.169.254/latest
declare -a AUTH=()
AUTH=(-H "X-aws-ec2-metadata-token: $(curl -fsS -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' "$IMDS/api/token")")
CURL=(curl --silent --fail --connect-timeout 2)
id=$("${CURL[@]}" "${AUTH[@]}" "$IMDS/meta-data/instance-id")
az=$("${CURL[@]}" "${AUTH[@]}" "$IMDS/meta-data/placement/availability-zone")
echo "$id in $az"
