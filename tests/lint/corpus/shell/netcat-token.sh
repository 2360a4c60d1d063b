#!/bin/sh
# A BusyBox without curl: its wget has no other method than GET and POST.
held=$(printf 'PUT /latest/api/token HTTP/1.0\r\nX-aws-ec2-metadata-token-ttl-seconds: 30\r\n\r\n' | nc 169.254.169.254 80 | tail -n 1)
get="wget -q --header 'X-aws-ec2-metadata-token: $held'"
eval "$get -O /run/id http://169.254.169.254/latest/meta-data/instance-id"
