#!/bin/sh
sudo -u app bash -c 'curl -s http://169.254.169.254/latest/meta-data/instance-id > /var/lib/app/id'
su - app -c "curl -s http://169.254.169.254/latest/user-data | sh"
eval "ID=\$(curl -s http://169.254.169.254/latest/meta-data/ami-id)"
