#!/bin/bash
set -euo pipefail
if [ "${1:-}" = long ]; then
  curl -s http://169.254.169.254/latest/meta-data/hostname
elif [ -z "${2:-}" ]; then
    name=$(curl -s http://169.254.169.254/latest/meta-data/local-hostname)
    echo "$name"
    echo "$(curl -s http://169.254.169.254/latest/meta-data/local-ipv4)"
else curl -s http://169.254.169.254/latest/meta-data/mac; fi
case "${3:-x}" in
  x) curl -s http://169.254.169.254/latest/meta-data/ami-id ;;
esac
