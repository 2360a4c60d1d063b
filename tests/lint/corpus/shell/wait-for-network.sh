#!/bin/sh
# cloud-init may run before the network is up
until curl -s -o /dev/null --connect-timeout 1 http://169.254.169.254/latest/meta-data/; do
  sleep 1
done
exec /usr/local/bin/bootstrap
