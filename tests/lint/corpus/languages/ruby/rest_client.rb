require 'rest-client'

base = 'http://169.254.169.254/latest/'
token = RestClient.put(base + 'api/token', nil, { 'X-aws-ec2-metadata-token-ttl-seconds' => 60 }).body
role = RestClient.get(base + 'meta-data/iam/security-credentials/', { 'X-aws-ec2-metadata-token' => token }).body
puts RestClient.get(base + "meta-data/iam/security-credentials/#{role}").body
