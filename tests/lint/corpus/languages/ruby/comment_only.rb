# Net::HTTP.get(URI('http://169.254.169.254/latest/meta-data/instance-id')) is IMDSv1.
require 'aws-sdk-core'

warn 'see http://169.254.169.254/latest/meta-data/'
puts Aws::InstanceProfileCredentials.new.credentials.access_key_id
puts Net::HTTP.get(URI("http://169.254.170.2#{ENV.fetch('AWS_CONTAINER_CREDENTIALS_RELATIVE_URI')}"))
