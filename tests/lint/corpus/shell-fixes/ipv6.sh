#!/bin/bash
curl -s "http://[fd00:ec2::254]/latest/meta-data/instance-id"
