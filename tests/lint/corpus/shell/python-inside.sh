#!/bin/bash
REGION=$(python3 -c 'import json,sys; print(json.load(sys.stdin)["region"])' < <(curl -s http://169.254.169.254/latest/dynamic/instance-identity/document))
aws configure set region "$REGION"
