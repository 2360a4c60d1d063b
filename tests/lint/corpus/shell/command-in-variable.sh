#!/bin/sh
META="curl -s http://169.254.169.254/latest/meta-data"
NODE_ID=`${META}/instance-id`
NODE_ZONE=`${META}/placement/availability-zone`
kubectl label node "$(hostname)" id=$NODE_ID zone=$NODE_ZONE
