#!/bin/bash
token=$(curl -sf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token)
ip=$(curl -sf -H "X-aws-ec2-metadata-token: $token" http://169.254.169.254/latest/meta-data/public-ipv4)
if [ $? -ne 0 ]; then
  ip=$(hostname -I | cut -d' ' -f1)
fi
echo "$ip"
