#!/bin/bash
echo "Run: curl http://169.254.169.254/latest/meta-data/instance-id"
printf 'try %s\n' "wget http://169.254.169.254/latest/meta-data/"
cat <<EOF
usage: $0 [--url http://169.254.169.254/latest]
  curl http://169.254.169.254/latest/meta-data/ shows what there is
EOF
command -v curl >/dev/null || yum install -y curl wget
grep -r "curl http://169.254.169.254" /opt/scripts && exit 1
log() { logger -t bootstrap "$*"; }
log "curl http://169.254.169.254/latest/meta-data/"
