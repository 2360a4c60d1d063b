require 'open-uri'
require 'json'

def document
  JSON.parse(URI.open('http://169.254.169.254/latest/dynamic/instance-identity/document', read_timeout: 1).read)
end

def public_ip
  ip = open('http://169.254.169.254/latest/meta-data/public-ipv4').read rescue nil
  ip
end
