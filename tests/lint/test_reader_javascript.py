"""Requests, settings and embedded texts of JavaScript and TypeScript programs."""

import pytest
from language_facts import embedded, one, requests, settings, shown

KINDS = ("javascript", "typescript")

SENT = {
    "fetch('$BASE/meta-data/mac')": "fetch GET /latest/meta-data/mac no no yes",
    "fetch(`$BASE/api/token`, { method: 'PUT', headers: { '$TTL': '60' } })": (
        "fetch PUT /latest/api/token no no yes"
    ),
    "fetch(new URL('/latest/user-data', '$BASE'))": "fetch GET /latest/user-data no no yes",
    "fetch('$BASE/', { headers: new Headers({ '$TOKEN': t }) })": "fetch GET /latest/ yes no yes",
    "http.get('$BASE/meta-data/mac', (res) => {})": "http.get GET /latest/meta-data/mac no no yes",
    "http.request({ host: '169.254.169.254', path: '/latest/', method: 'PUT' })": (
        "http.request PUT /latest/ no no yes"
    ),
    "axios.get('$BASE/', { headers: { '$TOKEN': t } })": "axios.get GET /latest/ yes yes no",
    "axios({ method: 'get', url: '$BASE/' })": "axios GET /latest/ no yes no",
    "axios.put('$BASE/api/token', null, { headers: { '$TTL': 9 } })": (
        "axios.put PUT /latest/api/token no yes no"
    ),
    "axios.create({ baseURL: '$BASE', headers: { '$TOKEN': t } }).get('/user-data')": (
        "axios.get GET /latest/user-data yes yes no"
    ),
    "got('$BASE/', { throwHttpErrors: false })": "got GET /latest/ no no yes",
    "request({ uri: '$BASE/' }, (err, res, body) => {})": "request GET /latest/ no no no",
    "superagent.get('$BASE/').set('$TOKEN', t)": "superagent.get GET /latest/ yes yes yes",
    "needle('put', '$BASE/api/token', null, { headers: { '$TTL': 9 } })": (
        "needle PUT /latest/api/token no no no"
    ),
}
ABOVE = """
const http = require('node:http');
const axios = require('axios');
const got = require('got');
const request = require('request');
const superagent = require('superagent');
const needle = require('needle');
"""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("call", SENT)
def test_each_library_is_read(kind: str, call: str) -> None:
    names = "client method path token fails bypasses_proxy"

    assert shown(one(kind, f"{ABOVE}{call};\n"), names) == SENT[call]


def test_modules_are_known_under_the_names_that_they_are_imported_by() -> None:
    text = (
        "import client, { get as ask } from 'axios';\nimport * as web from 'http';\n"
        "client.get('$BASE/a'); ask('$BASE/b'); web.get('$BASE/c');\n"
        "const { request: send } = require('https'); send('$BASE/d');\n"
    )

    assert [one.client for one in requests("javascript", text)] == [
        "axios.get", "axios.get", "http.get", "https.request",
    ]  # fmt: skip


def test_a_token_is_followed_through_promises_callbacks_and_headers_set_later() -> None:
    text = """
const http = require('http');
const ask = http.request('$BASE/api/token', { method: 'PUT', headers: { '$TTL': 60 } }, (res) => {
  let token = '';
  res.on('data', (piece) => { token += piece; });
  res.on('end', () => {
    const get = http.request('$BASE/meta-data/mac');
    get.setHeader('$TOKEN', token);
    get.end();
    fetch('$BASE/user-data', { headers: { '$TOKEN': token } }).then((r) => r.text());
  });
});
ask.end();
"""
    found = requests("javascript", text)

    assert [shown(one, "method token follows") for one in found] == [
        "PUT no False", "GET yes True", "GET yes True",
    ]  # fmt: skip
    assert found[2].token_from == "token"


@pytest.mark.parametrize(
    ("code", "checked"),
    [
        ("fetch(U).catch(() => null);", "no"),
        ("fetch(U).catch(() => {});", "no"),
        ("fetch(U).catch((e) => { console.error(e); });", "yes"),
        ("async () => { try { await fetch(U); } catch (e) {} };", "no"),
        ("async () => { try { await fetch(U); } catch (e) { throw e; } };", "unknown"),
        ("async () => { const r = await fetch(U); if (!r.ok) throw new Error(r.status); };", "yes"),
        ("http.get(U, (res) => {}).on('error', () => {});", "no"),
    ],
)
def test_what_an_error_does_is_told(code: str, checked: str) -> None:
    text = f"const http = require('http');\nconst U = '$BASE/';\n{code}\n"

    assert one("javascript", text).checked == checked


def test_the_sdk_comments_messages_other_clouds_and_mocks_are_no_requests() -> None:
    for text in (
        "new AWS.MetadataService().request('/latest/meta-data/mac', () => {});",
        "// fetch('$BASE/')\nconsole.log('$BASE/');",
        "fetch('http://169.254.169.254/', { headers: { 'Metadata-Flavor': 'Google' } })",
        "fetch('http://169.254.170.2/latest/meta-data/');",
        "nock('http://169.254.169.254').get('/latest/').reply(200); fetch('$BASE/');",
        "jest.mock('axios'); const axios = require('axios'); axios.get('$BASE/');",
        "new EC2({ metadata: '$BASE/' });",
    ):
        assert requests("javascript", text) == []


def test_settings_and_commands_are_told() -> None:
    text = (
        "process.env.AWS_EC2_METADATA_DISABLED = 'true';\n"
        "const cp = require('child_process');\n"
        "cp.execSync(`curl -s $BASE/meta-data/${path}`);\n"
        "cp.spawn('curl', ['-s', '$BASE/'], { env: { AWS_EC2_METADATA_V1_DISABLED: 'false' } });\n"
    )

    assert settings("javascript", text) == [
        (1, "AWS_EC2_METADATA_DISABLED", "true"),
        (4, "AWS_EC2_METADATA_V1_DISABLED", "false"),
    ]
    assert [(kind, lines) for kind, _, lines in embedded("javascript", text)] == [
        ("shell", (3,)),
        ("shell", (4,)),
    ]
    assert embedded("javascript", text)[0][1].endswith("/latest/meta-data/${path}")


def test_types_are_no_hindrance() -> None:
    text = """
interface Info { id: string }
export class Imds {
  private readonly base: string = '$BASE';
  constructor(private readonly token?: string) {}
  async get<T extends Info>(path: string, headers: Record<string, string> = {}): Promise<T> {
    const all = { ...headers, ['$TOKEN']: this.token! };
    const response = await fetch(`${this.base}/${path}` as string, { headers: all });
    return (await response.json()) as T;
  }
}
"""
    assert one("typescript", text).token == "yes"
