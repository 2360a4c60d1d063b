#!/bin/bash
# Amazon Linux's own tool asks for a token itself where it is new enough.
id=$(ec2-metadata --instance-id | cut -d' ' -f2)
az=$(ec2-metadata -z | awk '{print $2}')
echo "$id $az"
