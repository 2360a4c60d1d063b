#!/bin/bash -xe
# complete-lifecycle-action at the end of the bootstrap
INSTANCEID=`curl http://169.254.169.254/latest/meta-data/instance-id`
AZ=`curl http://169.254.169.254/latest/meta-data/placement/availability-zone`
REGION=${AZ::-1}
aws autoscaling complete-lifecycle-action --lifecycle-action-result CONTINUE \
  --instance-id $INSTANCEID --lifecycle-hook-name launch \
  --auto-scaling-group-name web --region $REGION
