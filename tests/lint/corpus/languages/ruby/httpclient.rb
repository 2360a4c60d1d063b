require 'httpclient'

class Metadata
  def initialize
    @base = 'http://169.254.169.254/latest/'
    @client = HTTPClient.new
  end

  def read(path)
    fetch(@base + path)
  end

  def fetch(url)
    @client.get(url).body
  end
end

puts Metadata.new.read('meta-data/instance-id')
