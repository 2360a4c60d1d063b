#!/bin/bash
exec 3<>/dev/tcp/169.254.169.254/80
printf 'GET /latest/meta-data/instance-id HTTP/1.0\r\nHost: 169.254.169.254\r\n\r\n' >&3
tail -n1 <&3
