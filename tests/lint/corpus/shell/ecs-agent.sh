#!/bin/bash
cat <<'EOF' >> /etc/ecs/ecs.config
ECS_CLUSTER=batch
ECS_ENABLE_SPOT_INSTANCE_DRAINING=true
EOF
export AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE=IPv6
start ecs
