"""Requests, settings and embedded texts of Python programs."""

import pytest
from language_facts import embedded, one, requests, settings, shown

from imdsctl.lint.rulebook import every_reader
from imdsctl.lint.source import Source

KIND = "python"

SENT = {
    "requests.get('$BASE/meta-data/mac')": "requests.get GET /latest/meta-data/mac no",
    "requests.request('PUT', '$BASE/api/token', headers={'$TTL': '60'})": (
        "requests.request PUT /latest/api/token no"
    ),
    "requests.head(url='$BASE/')": "requests.head HEAD /latest/ no",
    "requests.Session().get('$BASE/user-data')": "requests session GET /latest/user-data no",
    "httpx.get('$BASE/meta-data/mac', headers={'$TOKEN': t})": (
        "httpx.get GET /latest/meta-data/mac yes"
    ),
    "httpx.Client(base_url='$BASE', headers={'$TOKEN': t}).get('/meta-data/mac')": (
        "httpx session GET /latest/meta-data/mac yes"
    ),
    "urllib2.urlopen('$BASE/meta-data/mac')": "urlopen GET /latest/meta-data/mac no",
    "urllib.urlopen('$BASE/meta-data/mac')": "urlopen GET /latest/meta-data/mac no",
    "urllib.request.urlopen(urllib.request.Request('$BASE/', headers={'$TOKEN': t}))": (
        "urlopen GET /latest/ yes"
    ),
    "urllib3.PoolManager().request('GET', '$BASE/meta-data/mac', headers={'$TOKEN': t})": (
        "urllib3 GET /latest/meta-data/mac yes"
    ),
    "boto.utils.get_instance_userdata()": (
        "boto.utils.get_instance_userdata GET /latest/user-data/ no"
    ),
    "aiohttp.ClientSession(headers={'$TOKEN': t}).get('$BASE/')": "aiohttp GET /latest/ yes",
}


@pytest.mark.parametrize("call", SENT)
def test_each_library_is_read(call: str) -> None:
    modules = (
        "import requests, httpx, urllib, urllib.request, urllib2, urllib3, aiohttp, boto.utils"
    )

    assert shown(one(KIND, f"{modules}\n{call}\n"), "client method path token") == SENT[call]


WRITTEN = {
    "an f-string": "requests.get(f'http://{HOST}/latest/{PATH}')",
    "a sum": "requests.get('http://' + HOST + '/latest/' + PATH)",
    "percent": "requests.get('http://%s/%s/%s' % (HOST, 'latest', PATH))",
    "percent by name": "requests.get('http://%(h)s/latest/%(p)s' % {'h': HOST, 'p': PATH})",
    "format": "requests.get('http://{}/{v}/{}'.format(HOST, PATH, v='latest'))",
    "format by number": "requests.get('http://{1}/latest/{0}'.format(PATH, HOST))",
    "urljoin": "requests.get(urljoin('http://169.254.169.254/latest/', PATH))",
    "join": "requests.get('/'.join(['http://169.254.169.254', 'latest', PATH]))",
    "os.path.join": "requests.get(os.path.join('http://169.254.169.254', 'latest', PATH))",
    "a class's constant": (
        "class A:\n    URL = 'http://169.254.169.254/latest/'\n    def get(self, p):\n"
        "        return requests.get(self.URL + p)\nA().get(PATH)"
    ),
    "a function that makes it": (
        "def url(p):\n    return 'http://' + HOST + '/latest/' + p\nrequests.get(url(PATH))"
    ),
    "a default": "def get(p, host=HOST):\n    requests.get(f'http://{host}/latest/{p}')\nget(PATH)",
    "pieces beside one another": "requests.get('http://169.254.169.254' '/latest/' + PATH)",
}


@pytest.mark.parametrize("way", WRITTEN)
def test_an_address_is_understood_in_every_writing(way: str) -> None:
    above = (
        "import os, requests\nfrom urllib.parse import urljoin\n"
        "HOST = '169.254.169.254'\nPATH = 'meta-data/mac'\n"
    )
    request = one(KIND, above + WRITTEN[way] + "\n")

    assert (request.host, request.path) == ("169.254.169.254", "/latest/meta-data/mac")


HEADERS = {
    "in the call": "requests.get(U, headers={'$TOKEN': t})",
    "in lower case": "requests.get(U, headers={'x-aws-ec2-metadata-token': t})",
    "in a variable": "h = {'$TOKEN': t}\nrequests.get(U, headers=h)",
    "put in later": "h = {}\nh['$TOKEN'] = t\nrequests.get(U, headers=h)",
    "by update": "h = dict()\nh.update({'$TOKEN': t})\nrequests.get(U, headers=h)",
    "spread": "h = {'$TOKEN': t}\nrequests.get(U, headers={**h, 'Accept': '*/*'})",
    "by a constant's name": "NAME = '$TOKEN'\nrequests.get(U, headers={NAME: t})",
    "from a function": "def h():\n    return {'$TOKEN': t}\nrequests.get(U, headers=h())",
    "as dict()": "requests.get(U, headers=dict({'$TOKEN': t}, Accept='x'))",
    "in keywords": "k = {'headers': {'$TOKEN': t}}\nrequests.get(U, **k)",
    "a session's": "s = requests.Session()\ns.headers['$TOKEN'] = t\ns.get(U)",
    "a session's, from a function": (
        "def new():\n    s = requests.Session()\n    s.headers = {'$TOKEN': t}\n    return s\n"
        "new().get(U)"
    ),
    "through a helper's argument": (
        "def get(u, headers=None):\n    return requests.get(u, headers=headers)\n"
        "get(U, {'$TOKEN': t})"
    ),
    "in an object": (
        "class A:\n    def __init__(self):\n        self.h = {'$TOKEN': t}\n"
        "    def get(self):\n        return requests.get(U, headers=self.h)"
    ),
}


@pytest.mark.parametrize("way", HEADERS)
def test_a_token_is_seen_wherever_its_header_is_kept(way: str) -> None:
    above = "import requests\nU = '$BASE/meta-data/mac'\nt = input()\n"

    assert one(KIND, above + HEADERS[way] + "\n").token == "yes"


def test_headers_from_elsewhere_may_have_a_token() -> None:
    text = "import requests\nfrom here import headers\nrequests.get('$BASE/', headers=headers)\n"

    assert one(KIND, text).token == "unknown"


def test_the_variable_of_the_token_is_told_and_that_it_was_fetched_before() -> None:
    text = (
        "import requests\nanswer = requests.put('$BASE/api/token', headers={'$TTL': '60'})\n"
        "secret = answer.text.strip()\n"
        "mac = requests.get('$BASE/meta-data/mac', headers={'$TOKEN': secret}).text\n"
    )
    asked, used = requests(KIND, text)

    assert shown(asked, "method lifetime stored_in follows") == "PUT yes secret False"
    assert shown(used, "token_from stored_in follows") == "secret mac True"


FAILURES = {
    "mac = requests.get(U).text": "no unknown",
    "r = requests.get(U)\nr.raise_for_status()": "yes yes",
    "r = requests.get(U)\nif r.status_code != 200:\n    raise SystemExit(1)": "yes yes",
    "try:\n    m = requests.get(U).text\nexcept Exception:\n    pass": "no no",
    "try:\n    m = requests.get(U).text\nexcept Exception:\n    m = ''": "no no",
    "with suppress(Exception):\n    m = requests.get(U).text": "no no",
    "try:\n    m = urllib2.urlopen(U).read()\nexcept IOError:\n    log('no')": "yes yes",
    "try:\n    m = urllib2.urlopen(U).read()\nexcept IOError:\n    raise": "yes yes",
    "def f():\n    try:\n        return urllib2.urlopen(U)\n    except:\n        return None": (
        "yes unknown"
    ),
    "m = urllib2.urlopen(U).read()": "yes yes",
}


@pytest.mark.parametrize("way", FAILURES)
def test_what_an_error_does_is_told(way: str) -> None:
    above = "import requests, urllib2\nfrom contextlib import suppress\nU = '$BASE/'\n"

    assert shown(one(KIND, above + way + "\n"), "fails checked") == FAILURES[way]


PROXIES = {
    "requests.get(U)": "no -",
    "requests.get(U, proxies={'http': 'http://p:3128'})": "no http://p:3128",
    "requests.get(U, proxies={'http': None})": "yes -",
    "s = requests.Session()\ns.trust_env = False\ns.get(U)": "yes -",
    "httpx.get(U, trust_env=False)": "yes -",
    "urllib.request.build_opener(urllib.request.ProxyHandler({})).open(U)": "yes -",
    "os.environ['http_proxy'] = 'http://p:3128'\nrequests.get(U)": "no http://p:3128",
    "os.environ['no_proxy'] = '169.254.169.254'\nos.environ['http_proxy'] = 'p'\nrequests.get(U)": (
        "no -"
    ),
}


@pytest.mark.parametrize("way", PROXIES)
def test_proxies_are_told(way: str) -> None:
    above = "import os, requests, httpx, urllib.request\nU = '$BASE/'\n"

    assert shown(one(KIND, above + way + "\n"), "bypasses_proxy proxy") == PROXIES[way]


def test_a_request_where_no_token_could_be_had_is_a_way_back() -> None:
    text = (
        "import requests\ndef get(token):\n    if token:\n"
        "        return requests.get('$BASE/', headers={'$TOKEN': token})\n"
        "    else:\n        return requests.get('$BASE/')\n"
    )

    assert [(r.token, r.fallback) for r in requests(KIND, text)] == [("yes", False), ("no", True)]


NOT_SENT = [
    "print('$BASE/meta-data/mac')",
    "# requests.get('$BASE/meta-data/mac')",
    "'''requests.get('$BASE/meta-data/mac')'''",
    "logging.info('see %s', '$BASE/')",
    "BLOCKED = ['$BASE/']",
    "requests.get('http://169.254.170.2/latest/meta-data/')",
    "requests.get('http://169.254.169.254/metadata/instance', headers={'Metadata': 'true'})",
    "requests.get('$BASE/', headers={'Metadata-Flavor': 'Google'})",
    "requests.get('http://169.254.169.254/openstack/latest/meta_data.json')",
    "requests.get('http://localhost:1338/latest/meta-data/')",
    "requests.get('https://example.com/?u=$BASE/')",
    "responses.add(responses.GET, '$BASE/', body='x')",
    "@responses.activate\ndef test_it():\n    requests.get('$BASE/')",
    "def test_it(requests_mock):\n    requests.get('$BASE/')",
    "with requests_mock.Mocker() as m:\n    requests.get('$BASE/')",
    "@mock.patch('requests.get')\ndef test_it(get):\n    requests.get('$BASE/')",
    "httpretty.enable()\nrequests.get('$BASE/')",
]


@pytest.mark.parametrize("text", NOT_SENT)
def test_what_is_no_request_to_the_service_is_none(text: str) -> None:
    above = (
        "import logging, requests, responses, requests_mock, httpretty\nfrom unittest import mock\n"
    )

    assert requests(KIND, above + text + "\n") == []


def test_settings_of_the_environment_are_told_and_reading_them_is_none() -> None:
    text = (
        "import os, subprocess\n"
        "os.environ['AWS_EC2_METADATA_DISABLED'] = 'true'\n"
        "os.putenv('AWS_EC2_METADATA_V1_DISABLED', 'false')\n"
        "subprocess.run(['x'], env={'AWS_EC2_METADATA_SERVICE_ENDPOINT': 'http://e:1'})\n"
        "os.environ.get('AWS_EC2_METADATA_DISABLED', 'true')\n"
        "if os.environ['AWS_EC2_METADATA_DISABLED'] == 'true': pass\n"
    )

    assert settings(KIND, text) == [
        (2, "AWS_EC2_METADATA_DISABLED", "true"),
        (3, "AWS_EC2_METADATA_V1_DISABLED", "false"),
        (4, "AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://e:1"),
    ]


def test_what_a_shell_gets_is_given_on_with_its_lines() -> None:
    text = (
        "import os, subprocess\nU = '$BASE/meta-data/mac'\n"
        "subprocess.check_output(['curl', '-s', U, '-H', f'$TOKEN: {token}'])\n"
        "os.system('curl -s ' + U)\n"
        "USER_DATA = '''#!/bin/bash\nset -e\ncurl -s $BASE/meta-data/mac\n'''\n"
    )
    url = "http://169.254.169.254/latest/meta-data/mac"

    assert sorted(embedded(KIND, text), key=lambda one: one[2] or ()) == [
        ("shell", f'curl -s {url} -H "X-aws-ec2-metadata-token: ${{token}}"', (3,)),
        ("shell", f"curl -s {url}", (4,)),
        ("shell", f"#!/bin/bash\nset -e\ncurl -s {url}\n", (5, 6, 7, 8)),
    ]


@pytest.mark.parametrize(
    ("path", "is_test"),
    [
        ("tests/test_metadata.py", True),
        ("metadata_test.py", True),
        ("conftest.py", True),
        ("latest.py", False),
        ("contest.py", False),
        ("test.py", False),
    ],
)
def test_a_file_of_tests_by_its_name_asks_nothing(path: str, is_test: bool) -> None:  # noqa: FBT001
    text = "import requests\nrequests.get('http://169.254.169.254/latest/meta-data/mac')\n"
    source = Source(path, KIND, text)

    found = [fact for reader in every_reader()[KIND] for fact in reader(source)]
    assert (found == []) is is_test
