#!/bin/bash
IMDS=http://169.254.169.254/latest
TOKEN=""
refresh() {
  TOKEN=$(curl -sf -X PUT "$IMDS/api/token" -H "X-aws-ec2-metadata-token-ttl-seconds: 300") || TOKEN=""
}
refresh
while sleep 5; do
  code=$(curl -s -o /dev/null -w '%{http_code}' -H "X-aws-ec2-metadata-token: $TOKEN" $IMDS/meta-data/spot/instance-action)
  case "$code" in
    401) refresh ;;
    200) systemctl stop worker ; break ;;
  esac
done
