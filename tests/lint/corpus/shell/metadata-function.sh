#!/bin/bash

metadata() {
  local path="$1"
  curl --silent --fail --max-time 2 "http://169.254.169.254/latest/meta-data/${path}"
}

hostname=$(metadata local-hostname) || exit 1
hostnamectl set-hostname "$hostname"
