#!/bin/bash
# only root may reach the metadata service
iptables -A OUTPUT -d 169.254.169.254/32 -m owner ! --uid-owner 0 -j REJECT
ip route add 169.254.169.254/32 dev eth0
export no_proxy=169.254.169.254,localhost
ping -c1 169.254.169.254
