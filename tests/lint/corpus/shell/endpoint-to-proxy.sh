#!/bin/sh
export AWS_EC2_METADATA_SERVICE_ENDPOINT=http://10.0.0.5:8181
exec java -Daws.disableEc2MetadataV1=false -jar /opt/app.jar
