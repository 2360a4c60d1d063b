import pytest
import requests
import requests_mock
import responses
from unittest import mock

URL = "http://169.254.169.254/latest/meta-data/instance-id"


@responses.activate
def test_responses():
    responses.add(responses.GET, URL, body="i-0abc", status=200)
    assert requests.get(URL).text == "i-0abc"


def test_with_mocker():
    with requests_mock.Mocker() as m:
        m.get(URL, text="i-0abc")
        assert requests.get(URL).text == "i-0abc"


def test_fixture(requests_mock):
    requests_mock.get(URL, status_code=401)
    with pytest.raises(requests.HTTPError):
        requests.get(URL).raise_for_status()


@mock.patch("requests.get")
def test_patched(get):
    get.return_value.text = "i-0abc"
    assert requests.get(URL).text == "i-0abc"
