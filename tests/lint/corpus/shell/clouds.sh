#!/bin/bash
set -e
case $CLOUD in
  gcp)
    ip=$(curl -s -H "Metadata-Flavor: Google" http://metadata/computeMetadata/v1/instance/network-interfaces/0/ip)
    ;;
  aws)
    if [ -z "$IMDSv2" ]; then
      ip=$(curl -s http://169.254.169.254/latest/meta-data/local-ipv4)
    else
      ip=$(T=`curl -sf -X PUT http://169.254.169.254/latest/api/token -H "X-aws-ec2-metadata-token-ttl-seconds: 60"` && curl -s -H "X-aws-ec2-metadata-token: $T" http://169.254.169.254/latest/meta-data/local-ipv4)
    fi
    ;;
  digitalocean)
    ip=$(curl -s http://169.254.169.254/metadata/v1/interfaces/private/0/ipv4/address)
    ;;
esac
echo "$ip"
