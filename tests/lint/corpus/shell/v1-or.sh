#!/bin/bash
get() {
  curl -sf -H "X-aws-ec2-metadata-token: $(curl -sf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 10' http://169.254.169.254/latest/api/token)" "http://169.254.169.254/latest/meta-data/$1" \
    || curl -sf "http://169.254.169.254/latest/meta-data/$1"
}
get instance-type
