#!/bin/sh
set -e
curl -s "http://169.254.170.2${AWS_CONTAINER_CREDENTIALS_RELATIVE_URI}" | jq -r .AccessKeyId
curl -s "${ECS_CONTAINER_METADATA_URI_V4}/task"
curl -s -H "Authorization: $(cat "$AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")" http://169.254.170.23/v1/credentials
