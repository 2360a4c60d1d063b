require 'webmock/rspec'

describe 'metadata' do
  it 'asks' do
    stub_request(:get, 'http://169.254.169.254/latest/meta-data/instance-id').to_return(body: 'i-0abc')
    expect(Net::HTTP.get(URI('http://169.254.169.254/latest/meta-data/instance-id'))).to eq('i-0abc')
  end
end
