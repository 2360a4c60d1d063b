#!/bin/sh
set -e
CURL_OPTS="-s -f --retry 3 -m 2"
BASE="http://169.254.169.254/latest"
mac=$(curl $CURL_OPTS $BASE/meta-data/mac)
vpc=$(curl $CURL_OPTS $BASE/meta-data/network/interfaces/macs/$mac/vpc-id)
echo "$vpc"
