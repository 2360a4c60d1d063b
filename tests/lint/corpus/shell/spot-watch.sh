#!/bin/bash
# Drains the node two minutes before a spot interruption.
while true; do
  HTTP_CODE=$(curl -s -o /tmp/action -w '%{http_code}' http://169.254.169.254/latest/meta-data/spot/instance-action)
  if [[ "$HTTP_CODE" -eq 200 ]]; then
    kubectl drain "$(hostname)" --ignore-daemonsets --delete-emptydir-data
    break
  fi
  sleep 5
done
