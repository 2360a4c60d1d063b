#!/bin/bash
set -o errexit -o nounset -o pipefail

readonly IMDS="http://169.254.169.254"

imds_token() {
  curl --silent --fail --request PUT \
    --header "X-aws-ec2-metadata-token-ttl-seconds: 60" \
    "${IMDS}/latest/api/token"
}

imds_get() {
  local token
  token=$(imds_token)
  curl --silent --fail --header "X-aws-ec2-metadata-token: ${token}" "${IMDS}/latest/${1}"
}

doc=$(imds_get dynamic/instance-identity/document)
jq -r .region <<<"$doc"
