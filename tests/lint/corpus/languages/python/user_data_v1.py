import boto3

ec2 = boto3.resource("ec2")

USER_DATA = """#!/bin/bash
set -e
yum install -y jq
# name the host after itself
ID=$(curl -sf http://169.254.169.254/latest/meta-data/instance-id)
hostnamectl set-hostname "$ID"
"""

ec2.create_instances(
    ImageId="ami-0123456789abcdef0", MinCount=1, MaxCount=1, UserData=USER_DATA,
    MetadataOptions={"HttpTokens": "required"},
)
