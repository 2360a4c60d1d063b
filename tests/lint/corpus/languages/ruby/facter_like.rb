require 'net/http'

class Ec2Fact
  BASE = 'http://169.254.169.254/latest'

  def fetch(path)
    uri = URI("#{BASE}/#{path}")
    response = Net::HTTP.start(uri.host, uri.port, open_timeout: 1) { |http| http.get(uri.request_uri) }
    response.code == '200' ? response.body : nil
  end
end

Ec2Fact.new.fetch('meta-data/instance-type')
