#!/bin/sh
# METADATA_URL comes from the unit's environment
curl -sf "${METADATA_URL}/latest/meta-data/instance-id" > /run/instance-id
curl -sf "${HEALTH_URL}/ready"
