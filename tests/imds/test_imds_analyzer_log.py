"""The lines of AWS's packet analyzer, in both of its forms."""

from imdsctl.imds.analyzer_log import is_analyzer_line, trace_lines

OLD = (
    "[2022-12-20T11:03:58] [WARNING] IMDSv1(!) (pid:1016:curl argv:curl http://169.254.169.254/) "
    "called by -> (pid:1015:bash argv:bash -c (x)) -> (pid:3:sshd argv:sshd: me) -> "
    "(pid:4 Unable to get argv information)"
)


def one(text: str) -> dict[str, object]:
    (line,) = trace_lines([text])
    return line


def test_a_line_without_the_request_has_the_analyzers_label_as_a_guess() -> None:
    line = one(OLD)
    assert (line["ts"], line["version"], line["guess"]) == ("2022-12-20T11:03:58Z", "v1", True)
    assert (line["pid"], line["comm"]) == (1016, "curl")
    assert line["cmdline"] == "curl http://169.254.169.254/"
    assert line["ancestors"] == [
        {"pid": 1015, "comm": "bash", "exe": None},
        {"pid": 3, "comm": "sshd", "exe": None},
        {"pid": 4, "comm": "", "exe": None},
    ]


def request(label: str, details: str, level: str = "INFO") -> dict[str, object]:
    return one(
        f"[2025-10-20 11:03:58,123] [{level}] IMDS{label} (pid:7:app argv:/opt/app) "
        f"called by -> (pid:1:systemd argv:/sbin/init) Req details: {details}"
    )


def test_the_token_request_that_the_analyzer_calls_v2_is_a_token_request() -> None:
    line = request("v2", "PUT /latest/api/token HTTP/1.1, Host: 169.254.169.254, "
                         "X-aws-ec2-metadata-token-ttl-seconds: 21600, ")  # fmt: skip
    assert (line["version"], line["method"], line["guess"]) == ("token", "PUT", False)
    assert line["ts"] == "2025-10-20T11:03:58.123Z"


def test_a_request_with_the_token_header_is_v2_whatever_its_label() -> None:
    line = request("v1(!)", "GET /latest/meta-data/ HTTP/1.1, x-aws-ec2-metadata-token: AQAE==, ")
    assert (line["version"], line["guess"]) == ("v2", False)


def test_a_redacted_token_leaves_the_label_which_is_right_then() -> None:
    line = request("v2", "GET /latest/meta-data/ HTTP/1.1, Host: x, **token redacted**, ")
    assert (line["version"], line["guess"]) == ("v2", False)


def test_v1_stays_a_guess_because_a_header_may_not_have_been_seen() -> None:
    line = request("v1(!)", "GET /latest/meta-data/?x=1 HTTP/1.1, User-Agent: app/1.0, ", "WARNING")
    assert (line["version"], line["guess"]) == ("v1", True)
    assert (line["path"], line["user_agent"]) == ("/latest/meta-data/", "app/1.0")


def test_a_missing_payload_is_a_guess() -> None:
    line = one(
        "[2022-12-20T11:03:58] [ERROR] {MISSING PAYLOAD} IMDSv1(!) (pid:9 Unable to get argv "
        "information) Req details: "
    )
    assert (line["version"], line["guess"], line["comm"]) == ("v1", True, "")


def test_no_token_is_ever_kept() -> None:
    token = "AQAEAFEOMInKb-S7me-hLqzu83lYdeDV7r-sPh2D4SJF6v5IwD4S8g=="
    line = request("v2", f"GET /latest/ HTTP/1.1, x-aws-ec2-metadata-token: {token}, ")
    assert token not in repr(line)


def test_its_other_messages_are_none_of_its_requests() -> None:
    for text in ("", "[2022-12-20T11:03:58] [INFO] Cannot attach kprobe to x", '{"version": "v1"}'):
        assert not is_analyzer_line(text)
        assert list(trace_lines([text])) == []
