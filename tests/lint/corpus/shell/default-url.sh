#!/bin/bash
: "${IMDS_ENDPOINT:=http://169.254.169.254}"
id=$(curl -s "${IMDS_ENDPOINT%/}/latest/meta-data/instance-id")
az=$(curl -s "${OTHER_ENDPOINT:-http://169.254.169.254}/latest/meta-data/placement/availability-zone")
echo "$id $az"
