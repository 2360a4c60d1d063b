#!/bin/sh
AZ=$(wget -q -O - http://169.254.169.254/latest/meta-data/placement/availability-zone)
echo "export AWS_DEFAULT_REGION=$(echo "$AZ" | sed 's/.$//')" > /etc/profile.d/region.sh
