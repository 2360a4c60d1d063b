"""Requests, settings and embedded texts of Ruby programs."""

import pytest
from language_facts import embedded, one, requests, settings, shown

KIND = "ruby"

SENT = {
    "Net::HTTP.get(URI('$BASE/user-data'))": "Net::HTTP.get GET /latest/user-data no no",
    "Net::HTTP.get('169.254.169.254', '/latest/')": "Net::HTTP.get GET /latest/ no no",
    "Net::HTTP.get_response(URI('$BASE/'), { '$TOKEN' => t })": (
        "Net::HTTP.get_response GET /latest/ yes no"
    ),
    "Net::HTTP.start('169.254.169.254') { |h| h.get('/latest/', '$TOKEN' => t) }": (
        "Net::HTTP GET /latest/ yes no"
    ),
    "r = Net::HTTP::Put.new('/latest/api/token')\nr['$TTL'] = '60'\n"
    "Net::HTTP.new('169.254.169.254', 80).request(r)": "Net::HTTP PUT /latest/api/token no no",
    "open('$BASE/').read": "open-uri GET /latest/ no yes",
    "URI.open('$BASE/', '$TOKEN' => t)": "open-uri GET /latest/ yes yes",
    "URI.parse('$BASE/').read": "open-uri GET /latest/ no yes",
    "HTTParty.get('$BASE/', headers: { '$TOKEN' => t })": "HTTParty.get GET /latest/ yes no",
    "RestClient.get('$BASE/', { '$TOKEN' => t })": "RestClient.get GET /latest/ yes yes",
    "RestClient::Request.execute(method: :put, url: '$BASE/api/token', headers: {})": (
        "RestClient.request PUT /latest/api/token no yes"
    ),
    "Faraday.get('$BASE/')": "Faraday.get GET /latest/ no no",
    "Faraday.new('$BASE') { |f| f.response :raise_error }.get('user-data')": (
        "Faraday.get GET /latest/user-data no yes"
    ),
    "Excon.get('$BASE/', headers: { '$TOKEN' => t })": "Excon.get GET /latest/ yes no",
    "HTTP.headers('$TOKEN' => t).get('$BASE/')": "HTTP.get GET /latest/ yes no",
}


@pytest.mark.parametrize("call", SENT)
def test_each_library_is_read(call: str) -> None:
    assert shown(one(KIND, call + "\n"), "client method path token fails") == SENT[call]


def test_an_object_keeps_its_token_and_hands_it_out() -> None:
    text = """
class Imds
  attr_reader :token

  def initialize(host = '169.254.169.254')
    @http = Net::HTTP.new(host, 80, nil)
    @token = fetch_token
  end

  def fetch_token
    @http.send_request('PUT', '/latest/api/token', nil, { '$TTL' => '60' }).body
  end

  def get(path)
    request = Net::HTTP::Get.new("/latest/#{path}")
    request['$TOKEN'] = token
    @http.request(request).body
  end
end

puts Imds.new.get('meta-data/mac')
"""
    assert [shown(r, "method path token bypasses_proxy") for r in requests(KIND, text)] == [
        "PUT /latest/api/token no yes",
        "GET /latest/meta-data/mac yes yes",
    ]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("id = open('$BASE/').read rescue nil", "no"),
        ("begin\n  open('$BASE/')\nrescue\nend", "no"),
        ("begin\n  open('$BASE/')\nrescue => e\n  raise e\nend", "yes"),
        ("def get\n  open('$BASE/').read\nrescue StandardError => e\n  warn e\nend", "yes"),
        ("open('$BASE/')", "yes"),
        ("r = Net::HTTP.get_response(URI('$BASE/'))\nabort unless r.code == '200'", "yes"),
    ],
)
def test_what_an_error_does_is_told(code: str, told: str) -> None:
    assert one(KIND, code + "\n").checked == told


def test_the_sdk_comments_messages_other_clouds_and_mocks_are_no_requests() -> None:
    for text in (
        "Aws::EC2Metadata.new.get('/latest/meta-data/mac')",
        "# Net::HTTP.get(URI('$BASE/'))\nputs 'see $BASE/'",
        "Net::HTTP.get(URI('http://169.254.170.2/latest/meta-data/'))",
        "HTTParty.get('http://169.254.169.254/', headers: { 'Metadata-Flavor' => 'Google' })",
        "stub_request(:get, '$BASE/')\nNet::HTTP.get(URI('$BASE/'))",
    ):
        assert requests(KIND, text + "\n") == []


def test_settings_commands_and_scripts_are_told() -> None:
    text = (
        "ENV['AWS_EC2_METADATA_DISABLED'] = 'true'\n"
        "zone = `curl -s $BASE/#{path}`.chomp\n"
        "system('curl', '-s', '$BASE/')\n"
        "user_data = <<~SCRIPT\n  #!/bin/bash\n  curl -s $BASE/\nSCRIPT\n"
    )

    assert settings(KIND, text) == [(1, "AWS_EC2_METADATA_DISABLED", "true")]
    assert [(kind, lines) for kind, _, lines in embedded(KIND, text)] == [
        ("shell", (2,)),
        ("shell", (3,)),
        ("shell", (5, 6, 7)),
    ]
    assert embedded(KIND, text)[0][1] == "curl -s http://169.254.169.254/latest/${path}"
