import * as cdk from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';

export class WebStack extends cdk.Stack {
  constructor(scope: cdk.App, id: string) {
    super(scope, id);
    const userData = ec2.UserData.custom(`#!/bin/bash
set -e
dnf install -y nginx
ZONE=$(curl -sf http://169.254.169.254/latest/meta-data/placement/availability-zone)
echo "zone: $ZONE" > /usr/share/nginx/html/zone.txt
`);
    new ec2.LaunchTemplate(this, 'web', { userData, requireImdsv2: true });
  }
}
