#!/bin/bash
retry() {
  local n=$1; shift
  for ((i = 0; i < n; i++)); do
    "$@" && return 0
    sleep 2
  done
  return 1
}
retry 5 curl -s -o /run/identity http://169.254.169.254/latest/dynamic/instance-identity/document
