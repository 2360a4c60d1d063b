#!/bin/sh -e
TOKEN=$(wget -qO- --method=PUT --header='X-aws-ec2-metadata-token-ttl-seconds: 120' http://169.254.169.254/latest/api/token)
wget -qO- --header="X-aws-ec2-metadata-token: $TOKEN" http://169.254.169.254/latest/meta-data/public-ipv4
