#!/bin/sh
IMDS=http://169.254.169.254
TOKEN=$(curl -s -f -X PUT "http://169.254.169.254/2021-07-15/api/token/")
curl -s -H "X-aws-ec2-metadata-token: $TOKEN" $IMDS/latest/meta-data/instance-id
