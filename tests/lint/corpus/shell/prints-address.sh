#!/bin/bash
systemctl enable --now httpd
echo "ready at http://$(curl -s http://169.254.169.254/latest/meta-data/public-ipv4):8080"
PUBLIC_IP=$(curl -s http://169.254.169.254/latest/meta-data/public-ipv4 2>/dev/null || echo "YOUR_IP")
sed -i "s/ADDRESS/$PUBLIC_IP/" /etc/app.conf
