#!/bin/bash
export INSTANCE_METADATA=http://169.254.169.254/latest/meta-data
/opt/vendor/agent --metadata-url http://169.254.169.254/latest
