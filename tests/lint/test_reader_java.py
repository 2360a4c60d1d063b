"""Requests, settings and embedded texts of Java programs."""

import pytest
from language_facts import embedded, one, requests, settings, shown

KIND = "java"


def program(body: str, fields: str = "") -> str:
    return (
        'class Main {\n  static final String BASE = "$BASE";\n'
        f"  {fields}\n  void main(String[] args) throws Exception {{\n{body}\n  }}\n}}\n"
    )


SENT = {
    'new URL(BASE + "/user-data").openStream();': "URL.openStream GET /latest/user-data no yes",
    "HttpURLConnection c = (HttpURLConnection) new URL(BASE).openConnection();"
    'c.setRequestMethod("PUT"); c.getInputStream();': "HttpURLConnection PUT /latest no yes",
    "URLConnection c = URI.create(BASE).toURL().openConnection();"
    'c.setRequestProperty("$TOKEN", t); c.connect();': "HttpURLConnection GET /latest yes no",
    "HttpClient.newHttpClient().send(HttpRequest.newBuilder(URI.create(BASE))"
    '.header("$TOKEN", t).GET().build(), ofString());': "HttpClient.send GET /latest yes no",
    "HttpRequest r = HttpRequest.newBuilder().uri(new URI(BASE))"
    '.method("PUT", noBody()).build(); client.send(r, ofString());': "send PUT /latest no no",
    'HttpGet g = new HttpGet(BASE); g.setHeader("$TOKEN", t);'
    "HttpClients.createDefault().execute(g);": "HttpClient.execute GET /latest yes no",
    'Request.Get(BASE).addHeader("$TOKEN", t).execute();': "Request GET /latest yes no",
    "Request r = new Request.Builder().url(BASE).put(EMPTY).build();"
    "new OkHttpClient().newCall(r).execute();": "OkHttpClient.newCall PUT /latest no no",
    "new RestTemplate().getForObject(BASE, String.class);": (
        "RestTemplate.getForObject GET /latest no yes"
    ),
    'HttpHeaders h = new HttpHeaders(); h.add("$TOKEN", t); new RestTemplate()'
    ".exchange(BASE, HttpMethod.GET, new HttpEntity<>(h), String.class);": (
        "RestTemplate.exchange GET /latest yes yes"
    ),
    'WebClient.create(BASE).get().uri("/user-data").header("$TOKEN", t).retrieve();': (
        "WebClient GET /latest/user-data yes yes"
    ),
    'ClientBuilder.newClient().target(BASE).request().header("$TOKEN", t).get();': (
        "JAX-RS client GET /latest yes no"
    ),
    "IOUtils.toString(new URL(BASE), UTF_8);": "IOUtils.toString GET /latest no yes",
}  # fmt: skip


@pytest.mark.parametrize("call", SENT)
def test_each_library_is_read(call: str) -> None:
    found = one(KIND, program(call))

    assert shown(found, "client method path token fails") == SENT[call]


def test_a_client_that_is_injected_is_known_by_its_type() -> None:
    text = program(
        'rest.getForObject(BASE + "/meta-data/" + String.format("%s", "mac"), String.class);',
        "@Autowired private RestTemplate rest;",
    )

    assert shown(one(KIND, text), "client path") == (
        "RestTemplate.getForObject /latest/meta-data/mac"
    )


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("try { new URL(BASE).openStream(); } catch (IOException e) { }", "no"),
        ("try { new URL(BASE).openStream(); } catch (IOException e) { id = null; }", "no"),
        ("try { new URL(BASE).openStream(); } catch (IOException e) { log.warn(e); }", "yes"),
        ("try { new URL(BASE).openStream(); } catch (IOException e) { return null; }", "unknown"),
        ("try { new URL(BASE).openStream(); } finally { done(); }", "yes"),
    ],
)
def test_what_an_error_does_is_told(body: str, told: str) -> None:
    assert one(KIND, program(body)).checked == told


def test_the_sdk_comments_messages_other_clouds_and_mocks_are_no_requests() -> None:
    for body in (
        "EC2MetadataUtils.getInstanceId();",
        '// new URL("$BASE").openStream();\nlog.info("$BASE");',
        'new URL("http://169.254.170.2/latest/meta-data/").openStream();',
        (
            'HttpGet g = new HttpGet("http://169.254.169.254/"); g.addHeader("Metadata", "true");'
            "client.execute(g);"
        ),
        'when(rest.getForObject(BASE, String.class)).thenReturn("x");',
    ):
        assert requests(KIND, program(body, "private RestTemplate rest;")) == []


def test_settings_and_commands_are_told() -> None:
    text = program(
        'System.setProperty("aws.disableEc2MetadataV1", "false");\n'
        'Runtime.getRuntime().exec("curl -s " + BASE);\n'
        'new ProcessBuilder(List.of("curl", "-s", BASE)).start();'
    )

    assert settings(KIND, text) == [(5, "aws.disableEc2MetadataV1", "false")]
    assert embedded(KIND, text) == [
        ("shell", "curl -s http://169.254.169.254/latest", (6,)),
        ("shell", "curl -s http://169.254.169.254/latest", (7,)),
    ]
