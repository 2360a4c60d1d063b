#!/bin/bash
for key in instance-id instance-type local-ipv4; do
  printf '%s=%s\n' "$key" "$(curl -s "http://169.254.169.254/latest/meta-data/$key")"
done > /etc/instance.env
