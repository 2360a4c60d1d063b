#!/bin/sh
n=0
until TOKEN=$(curl -sf -m 1 -X PUT http://169.254.169.254/latest/api/token -H "X-aws-ec2-metadata-token-ttl-seconds: 3600"); do
  n=$((n + 1))
  [ "$n" -gt 30 ] && exit 1
  sleep 1
done
curl -sf -H "X-aws-ec2-metadata-token: $TOKEN" http://169.254.169.254/latest/user-data
