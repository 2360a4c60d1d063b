#!/bin/bash
id=$(http --body GET http://169.254.169.254/latest/meta-data/instance-id)
token=$(http --body --check-status PUT http://169.254.169.254/latest/api/token X-aws-ec2-metadata-token-ttl-seconds:60)
http --body http://169.254.169.254/latest/meta-data/mac "X-aws-ec2-metadata-token:$token"
echo "$id"
