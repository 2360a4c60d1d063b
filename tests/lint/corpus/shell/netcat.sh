#!/bin/sh
printf 'GET /latest/meta-data/local-ipv4 HTTP/1.0\r\n\r\n' | nc 169.254.169.254 80 | tail -n1
