#!/bin/sh
set -u
cat <<EOF
id = $(curl -s http://169.254.169.254/latest/meta-data/instance-id)
document = "$(curl -s http://169.254.169.254/latest/dynamic/instance-identity/document | tr -d '\n ')"
EOF
ROLE=$(curl -s http://169.254.169.254/latest/meta-data/iam/security-credentials/)
curl -s "http://169.254.169.254/latest/meta-data/iam/security-credentials/$ROLE" | grep -c AccessKeyId
