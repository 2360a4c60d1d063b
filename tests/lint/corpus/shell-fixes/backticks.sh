#!/bin/sh -e
BASE=http://169.254.169.254/latest/meta-data
ID=`curl -s $BASE/instance-id`
TYPE=`curl --silent "$BASE/instance-type"`
echo "$ID $TYPE"
