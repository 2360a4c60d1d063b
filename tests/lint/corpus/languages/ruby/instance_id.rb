#!/usr/bin/env ruby
require 'net/http'
require 'uri'

id = Net::HTTP.get(URI.parse('http://169.254.169.254/latest/meta-data/instance-id'))
abort 'not on EC2' if id.empty?
puts id
