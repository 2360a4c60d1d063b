#!/bin/bash
export AWS_EC2_METADATA_V1_DISABLED=false
export AWS_EC2_METADATA_SERVICE_ENDPOINT=http://169.254.169.254
AWS_EC2_METADATA_DISABLED=true aws s3 cp s3://bucket/key .
env AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:8081 aws s3 ls
java -Dcom.amazonaws.sdk.disableEc2MetadataV1=true -jar app.jar
