require 'faraday'

conn = Faraday.new(url: 'http://169.254.169.254') do |f|
  f.response :raise_error
end

puts conn.get('/latest/meta-data/local-hostname').body
