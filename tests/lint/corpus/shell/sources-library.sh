#!/bin/bash
. /usr/local/lib/imds.sh
curl -s -H "X-aws-ec2-metadata-token: $IMDS_TOKEN" http://169.254.169.254/latest/meta-data/instance-id
curl -s "${IMDS_HEADERS[@]}" http://169.254.169.254/latest/meta-data/ami-id
