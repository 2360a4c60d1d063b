#!/bin/bash
url_var=http_endpoint
http_endpoint=http://169.254.169.254/latest/meta-data/instance-id
curl -s "${!url_var}"
