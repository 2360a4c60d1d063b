#!/bin/bash
set -e
MD=http://169.254.169.254
T=$(curl -sf -XPUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' $MD/latest/api/token/)
curl -sf -H "X-aws-ec2-metadata-token:$T" $MD/latest/meta-data/hostname
