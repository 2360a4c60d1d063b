#!/bin/bash -e
if curl -sf -o /dev/null http://169.254.169.254/latest/meta-data/; then
  echo on EC2
fi
if ! DOC=$(curl -sf http://169.254.169.254/latest/dynamic/instance-identity/document); then
  exit 3
fi
echo "$DOC" | wc -l
