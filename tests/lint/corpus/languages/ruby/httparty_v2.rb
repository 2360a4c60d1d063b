require 'httparty'

IMDS = 'http://169.254.169.254/latest'.freeze
answer = HTTParty.put("#{IMDS}/api/token", headers: { 'X-aws-ec2-metadata-token-ttl-seconds' => '60' })
raise 'no token' unless answer.success?

headers = { 'X-aws-ec2-metadata-token' => answer.body }
zone = HTTParty.get("#{IMDS}/meta-data/placement/availability-zone", headers: headers)
raise 'no zone' unless zone.code == 200

puts zone.body
