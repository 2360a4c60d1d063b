#!/bin/bash
CURL="curl -s --max-time 5"
timeout 10 curl -s http://169.254.169.254/latest/meta-data/ami-id
$CURL http://169.254.169.254/latest/meta-data/mac
GET=(curl --silent)
"${GET[@]}" http://169.254.169.254/latest/meta-data/local-ipv4
(cd / && curl -s http://169.254.169.254/latest/meta-data/instance-type)
{ curl -s http://169.254.169.254/latest/meta-data/hostname; echo; } | tr a-z A-Z
