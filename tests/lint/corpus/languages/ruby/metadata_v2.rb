require 'net/http'

module Imds
  HOST = '169.254.169.254'.freeze

  class Client
    def initialize
      @http = Net::HTTP.new(HOST, 80, nil)
      @http.open_timeout = 1
    end

    def get(path)
      request = Net::HTTP::Get.new("/latest/meta-data/#{path}")
      request['X-aws-ec2-metadata-token'] = token
      response = @http.request(request)
      raise "#{path}: #{response.code}" unless response.is_a?(Net::HTTPSuccess)

      response.body
    end

    private

    def token
      @token ||= begin
        request = Net::HTTP::Put.new('/latest/api/token')
        request['X-aws-ec2-metadata-token-ttl-seconds'] = '21600'
        response = @http.request(request)
        raise "token: #{response.code}" unless response.is_a?(Net::HTTPSuccess)

        response.body
      end
    end
  end
end
