#!/bin/bash
# Tags the instance with the version that it runs.
INSTANCE_ID=$(curl -s http://169.254.169.254/latest/meta-data/instance-id)
REGION=$(curl -s http://169.254.169.254/latest/meta-data/placement/availability-zone | sed 's/[a-z]$//')
VERSION=$(cat /opt/app/VERSION)

aws ec2 create-tags --region "$REGION" --resources "$INSTANCE_ID" \
  --tags Key=version,Value="$VERSION"
