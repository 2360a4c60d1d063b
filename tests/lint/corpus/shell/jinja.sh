#!/bin/bash
{% if monitoring %}
ID=$(curl -s http://169.254.169.254/latest/meta-data/instance-id)
/opt/agent/register --id "$ID" --env {{ environment }}
{% endif %}
