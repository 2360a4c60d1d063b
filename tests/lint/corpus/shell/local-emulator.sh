#!/bin/bash
# for the tests: a metadata service on loopback
IMDS=http://localhost:1338
curl -s $IMDS/latest/meta-data/instance-id
curl -s http://127.0.0.1:1338/latest/meta-data/
