#!/bin/bash
zone=$(curl -s -H "Metadata-Flavor: Google" http://169.254.169.254/computeMetadata/v1/instance/zone)
vm=$(curl -s -H Metadata:true --noproxy "*" "http://169.254.169.254/metadata/instance?api-version=2021-02-01")
uuid=$(curl -s http://169.254.169.254/openstack/latest/meta_data.json | jq -r .uuid)
region=$(curl -s http://169.254.169.254/metadata/v1/region)
oci=$(curl -s -H "Authorization: Bearer Oracle" -L http://169.254.169.254/opc/v2/instance/)
srv=$(curl -s http://169.254.169.254/hetzner/v1/metadata/instance-id)
echo "$zone $vm $uuid $region $oci $srv"
