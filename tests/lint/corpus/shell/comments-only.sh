#!/bin/bash
# Used to be: curl http://169.254.169.254/latest/meta-data/instance-id
# wget -qO- http://169.254.169.254/latest/user-data
: <<'NOTES'
curl -s http://169.254.169.254/latest/meta-data/iam/security-credentials/
NOTES
aws sts get-caller-identity
