#!/bin/sh
. "${OCF_FUNCTIONS_DIR}/ocf-shellfuncs"
TOKEN=$(curl_retry 3 1 "-sX PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 600'" "http://169.254.169.254/latest/api/token")
ID=$(curl_retry 3 1 "-s -H 'X-aws-ec2-metadata-token: $TOKEN'" "http://169.254.169.254/latest/meta-data/instance-id")
[ -n "$ID" ] || exit 1
