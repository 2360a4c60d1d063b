#!/bin/sh
curl -x "http://proxy.internal:8080" -s http://169.254.169.254/latest/meta-data/ami-id
http_proxy=http://proxy.internal:8080 curl -s --noproxy '*' http://169.254.169.254/latest/meta-data/ami-id
