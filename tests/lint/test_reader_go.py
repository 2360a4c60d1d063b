"""Requests, settings and embedded texts of Go programs."""

import pytest
from language_facts import embedded, one, requests, settings, shown

KIND = "go"


def program(body: str, above: str = "") -> str:
    return (
        'package main\n\nimport (\n\t"fmt"\n\t"net/http"\n\t"os/exec"\n)\n\n'
        f'const base = "$BASE"\n{above}\nfunc main() {{\n{body}\n}}\n'
    )


SENT = {
    'http.Get(base + "/meta-data/mac")': "http.Get GET /latest/meta-data/mac no no",
    'http.Head(fmt.Sprintf("%s/%s", base, "user-data"))': "http.Head HEAD /latest/user-data no no",
    'c := http.Client{}; c.Get("$BASE/")': "http.Client.Get GET /latest/ no no",
    "c := &http.Client{Transport: &http.Transport{}}; c.Get(base)": (
        "http.Client.Get GET /latest no yes"
    ),
    'r, _ := http.NewRequest("PUT", base+"/api/token", nil); http.DefaultClient.Do(r)': (
        "http.Client.Do PUT /latest/api/token no no"
    ),
    'r, _ := http.NewRequestWithContext(ctx, http.MethodGet, base, nil); '
    'r.Header.Set("$TOKEN", token); client.Do(r)': "http.Client.Do GET /latest yes unknown",
    'r := &http.Request{Method: "GET", URL: u}; u, _ := url.Parse(base)': "",
    'resty.New().R().SetHeader("$TOKEN", token).Get(base + "/user-data")': (
        "resty GET /latest/user-data yes no"
    ),
    'resty.New().SetBaseURL(base).R().Get("user-data")': "resty GET /latest/user-data no no",
}  # fmt: skip


@pytest.mark.parametrize("call", SENT)
def test_each_library_is_read(call: str) -> None:
    found = requests(KIND, program(call))

    assert [shown(r, "client method path token bypasses_proxy") for r in found] == (
        [SENT[call]] if SENT[call] else []
    )


def test_a_struct_with_methods_keeps_its_client_and_token() -> None:
    above = """
type imds struct {
	client *http.Client
	host   string
	token  string
}

func (i *imds) send(method, path string, header, value string) (string, error) {
	req, err := http.NewRequest(method, i.host+path, nil)
	if err != nil {
		return "", err
	}
	req.Header.Add(header, value)
	resp, err := i.client.Do(req)
	if err != nil || resp.StatusCode != 200 {
		return "", err
	}
	return read(resp.Body)
}
"""
    body = """
	i := &imds{client: &http.Client{}, host: "http://169.254.169.254"}
	i.token, _ = i.send("PUT", "/latest/api/token", "$TTL", "60")
	i.send("GET", "/latest/meta-data/mac", "$TOKEN", i.token)
"""
    found = requests(KIND, program(body, above))

    assert [shown(one, "method path token lifetime fails") for one in found] == [
        "PUT /latest/api/token no yes yes",
        "GET /latest/meta-data/mac yes no yes",
    ]
    assert len({one.place for one in found}) == 1


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("resp, _ := http.Get(base)", "no no"),
        ("resp, err := http.Get(base)\nif err != nil { panic(err) }", "no unknown"),
        (
            "resp, err := http.Get(base)\nif err != nil || resp.StatusCode > 299 { panic(err) }",
            "yes yes",
        ),
    ],
)
def test_what_an_error_does_is_told(body: str, told: str) -> None:
    assert shown(one(KIND, program(body)), "fails checked") == told


def test_the_sdk_comments_messages_other_clouds_and_test_servers_are_no_requests() -> None:
    for body in (
        "client := imds.NewFromConfig(cfg); client.GetRegion(ctx, nil)",
        "ec2metadata.New(session.New()).GetMetadata(base)",
        '// http.Get("$BASE/")\nfmt.Println("$BASE/")',
        'http.Get("http://169.254.170.2/latest/meta-data/")',
        (
            'r, _ := http.NewRequest("GET", "http://169.254.169.254/", nil)\n'
            'r.Header.Set("Metadata-Flavor", "Google")\nhttp.DefaultClient.Do(r)'
        ),
        's := httptest.NewServer(nil)\nhttp.Get(s.URL + "/latest/meta-data/mac")',
    ):
        assert requests(KIND, program(body)) == []


def test_settings_and_commands_are_told() -> None:
    text = program(
        'os.Setenv("AWS_EC2_METADATA_DISABLED", "true")\n'
        'exec.Command("curl", "-s", base+"/user-data").Run()\n'
        'exec.CommandContext(ctx, "/bin/sh", "-c", "curl -s "+base+" | head -1").Run()'
    )

    assert settings(KIND, text) == [(12, "AWS_EC2_METADATA_DISABLED", "true")]
    assert embedded(KIND, text) == [
        ("shell", "curl -s http://169.254.169.254/latest/user-data", (13,)),
        ("shell", "curl -s http://169.254.169.254/latest | head -1", (14,)),
    ]
