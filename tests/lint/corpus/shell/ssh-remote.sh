#!/bin/bash
for host in "$@"; do
  ssh -o StrictHostKeyChecking=no "ec2-user@$host" 'curl -s http://169.254.169.254/latest/meta-data/instance-id'
done
docker exec web curl -s http://169.254.169.254/latest/meta-data/iam/info
kubectl run probe --rm -i --image=curlimages/curl -- curl -m 2 http://169.254.169.254/latest/meta-data/
