#!/bin/sh
address=$(GET http://169.254.169.254/latest/meta-data/local-ipv4)
HEAD http://169.254.169.254/latest/meta-data/spot/instance-action
perl -MLWP::Simple -e 'print get("http://169.254.169.254/latest/meta-data/mac")'
GET -H "X-aws-ec2-metadata-token: $TOKEN" http://169.254.169.254/latest/meta-data/ami-id
