#!/bin/bash
MINION_ID=`/usr/bin/curl --silent --retry 10 http://169.254.169.254/2014-02-25/meta-data/instance-id/`
echo "id: $MINION_ID" > /etc/salt/minion.d/id.conf
