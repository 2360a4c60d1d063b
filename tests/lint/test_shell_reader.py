"""What the readers of shell and of user data tell: requests, and what they know of them."""

import base64
import gzip
import subprocess
from pathlib import Path

import pytest

from imdsctl.lint.engine import look, unfolded
from imdsctl.lint.facts import Request, Setting, Unparsed
from imdsctl.lint.readers._userdata import embedded_user_data
from imdsctl.lint.readers.shell import known_names
from imdsctl.lint.source import Source

HOST = "http://169.254.169.254"
ASKS = f'curl -sf -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" {HOST}/latest/api/token'


def requests(text: str, kind: str = "shell", **context: str) -> list[Request]:
    source = Source("a", kind, text, context=context)
    return [fact for _, facts in unfolded(source) for fact in facts if isinstance(fact, Request)]


def one(text: str, **context: str) -> Request:
    (found,) = requests(text, **context)
    return found


def rules(text: str, kind: str = "shell", **context: str) -> list[tuple[str, int]]:
    return [(f.rule, f.place.line) for f in look(Source("a", kind, text, context=context))]


def test_a_request_says_its_program_method_host_path_and_place() -> None:
    found = one(f"x=1\n  curl -s {HOST}/latest/meta-data/ami-id # why\n")

    assert (found.client, found.method, found.host) == ("curl", "GET", "169.254.169.254")
    assert found.path == "/latest/meta-data/ami-id"
    assert (found.place.line, found.place.column, found.place.end_column) == (2, 3, 56)


@pytest.mark.parametrize(
    ("options", "method"),
    [
        ("-X PUT", "PUT"),
        ("-XPUT", "PUT"),
        ("-sfXPUT", "PUT"),
        ("--request PUT", "PUT"),
        ("-I", "HEAD"),
        ("-d x", "POST"),
        ("-T file", "PUT"),
        ("-G -d x", "GET"),
        ("", "GET"),
    ],
)
def test_curl_says_its_method_in_many_ways(options: str, method: str) -> None:
    assert one(f"curl {options} {HOST}/latest/api/token").method == method


@pytest.mark.parametrize(
    ("command", "fails"),
    [
        ("curl -f", "yes"),
        ("curl -sSfL", "yes"),
        ("curl --fail-with-body", "yes"),
        ("curl -s", "no"),
        ("curl -K own.conf", "unknown"),
        ("curl -w '%{http_code}'", "unknown"),
        ("wget -q", "yes"),
        ("http", "no"),
        ("http --check-status", "yes"),
    ],
)
def test_a_program_fails_on_an_error_or_does_not(command: str, fails: str) -> None:
    assert one(f"{command} {HOST}/latest/").fails == fails


@pytest.mark.parametrize(
    "header",
    [
        '-H "X-aws-ec2-metadata-token: $TOKEN"',
        '-H "x-AWS-ec2-metadata-token:$TOKEN"',
        "--header X-aws-ec2-metadata-token:\\ $TOKEN",
        '-H"X-aws-ec2-metadata-token: ${TOKEN}"',
        '-sSH "X-aws-ec2-metadata-token: $TOKEN"',
        "-H 'X-aws-ec2-metadata-token: '\"$TOKEN\"",
    ],
)
def test_a_token_is_seen_however_the_header_is_written(header: str) -> None:
    found = one(f"curl {header} {HOST}/latest/")

    assert (found.token, found.token_from) == ("yes", "TOKEN")


@pytest.mark.parametrize("options", ["-K conf", "-H @headers", "$UNKNOWN", '"${UNKNOWN[@]}"'])
def test_what_cannot_be_seen_is_unknown_and_no_finding(options: str) -> None:
    text = f"curl {options} {HOST}/latest/\n"

    assert one(text).token == "unknown"
    assert rules(text) == []


def test_variables_of_a_sourced_file_are_known() -> None:
    text = 'curl -sf -H "$AUTH" $IMDS/latest/\ncurl -sf $IMDS/latest/$(imds_token)\n'
    library = f"IMDS={HOST}\nimds_token() {{ {ASKS}; }}\nTOKEN=$(imds_token)\n"
    library += 'AUTH="X-aws-ec2-metadata-token: $TOKEN"\n'

    known = known_names(Source("lib.sh", "shell", library))

    assert known == {"IMDS": f"={HOST}", "imds_token": "token", "TOKEN": "token", "AUTH": "token"}
    assert [found.host for found in requests(text, **known)] == ["169.254.169.254"] * 2


def test_a_function_of_a_sourced_file_that_fetches_a_token_counts_as_fetching_it() -> None:
    text = f"TOKEN=$(imds_token)\ncurl -sf {HOST}/latest/\n"

    assert rules(text) == [("tokenless-call", 2)]
    assert rules(text, imds_token="token") == [("token-not-used", 2)]


def test_a_variable_set_in_a_subshell_is_not_known_outside() -> None:
    assert requests(f"(IMDS={HOST})\ncurl $IMDS/\n") == []


def test_a_local_variable_is_not_known_outside_its_function() -> None:
    text = f"f() {{ local IMDS={HOST}; curl -s $IMDS/; }}\nf\ncurl -s $IMDS/\n"

    assert [found.place.line for found in requests(text)] == [1]


def test_a_token_fetched_on_one_way_only_is_not_used_by_a_fix_on_another() -> None:
    text = f"if test -f /x; then TOKEN=$({ASKS}); fi\ncurl -sf {HOST}/latest/\n"
    (found,) = (f for f in look(Source("a", "shell", text)) if f.edits)

    assert "$TOKEN" not in "".join(edit.text for edit in found.edits)


def test_the_environment_of_one_call_is_its_own() -> None:
    text = f"http_proxy=http://p:1 curl -s {HOST}/a\ncurl -s {HOST}/b\n"
    first, second = requests(text)

    assert (first.proxy, first.bypasses_proxy) == ("http://p:1", "no")
    assert second.proxy == ""


def test_curl_ignores_the_upper_case_variable_for_http() -> None:
    assert one(f"export HTTP_PROXY=http://p:1\ncurl -s {HOST}/a\n").proxy == ""


def test_text_that_is_no_shell_is_said_where_it_concerns_the_service() -> None:
    found = [
        fact
        for _, facts in unfolded(Source("a", "shell", f"curl {HOST}/ )) ;;\nfoo\n"))
        for fact in facts
        if isinstance(fact, Unparsed)
    ]

    assert [fact.place.line for fact in found] == [1]


def test_an_environment_of_a_unit_is_a_setting_and_is_known_to_its_commands() -> None:
    unit = f"[Service]\nEnvironment=BASE={HOST}\nExecStart=/usr/bin/curl -s ${{BASE}}/latest/\n"
    facts = [fact for _, facts in unfolded(Source("a", "systemd", unit)) for fact in facts]

    assert [(type(fact), fact.place.line) for fact in facts] == [(Setting, 2), (Request, 3)]


SCRIPT = f"#!/bin/bash\ncurl -s {HOST}/latest/user-data\n"
MIME = f"""MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b"

--b
Content-Type: text/x-shellscript

{SCRIPT}
--b
Content-Type: text/cloud-config

#cloud-config
runcmd:
  - wget {HOST}/latest/meta-data/
--b--
"""


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("user_data", "lines"),
    [
        (SCRIPT, [11]),
        (b64(SCRIPT.encode()), [10]),
        (b64(gzip.compress(SCRIPT.encode())), [10]),
        (gzip.compress(SCRIPT.encode()).decode("latin-1"), [10]),
        (MIME, [17, 24]),
        (b64(gzip.compress(MIME.encode())), [10, 10]),
        (f"\n  {SCRIPT}", [12]),
        (b64(b64(SCRIPT.encode()).encode()), []),
    ],
    ids=["plain", "base64", "gz+b64", "gzip", "mime", "mime gz+b64", "blank first", "twice"],
)
def test_user_data_in_a_template_is_unwrapped_and_keeps_its_lines(
    user_data: str, lines: list[int]
) -> None:
    template = Source("main.tf", "terraform", "\n" * 60)
    found = [
        (finding.place.line, finding.rule)
        for source in embedded_user_data(template, user_data, 10, "user_data of web")
        for finding in look(source)
    ]

    assert found == [(line, "tokenless-call") for line in lines]


def test_where_user_data_stands_is_said_in_words() -> None:
    template = Source("main.tf", "terraform", "\n" * 60)
    shown = {
        finding.inside
        for source in embedded_user_data(template, MIME, 1, "user_data of web")
        for finding in look(source)
    }

    assert shown == {
        "user_data of web, part 1 (text/x-shellscript)",
        "user_data of web, part 2 (text/cloud-config), runcmd",
    }


def test_a_compressed_bomb_is_not_unpacked_to_its_end() -> None:
    bomb = gzip.compress(b"#!/bin/sh\n" + b"#" * 40_000_000)
    (source,) = embedded_user_data(Source("a", "json", "{}"), b64(bomb), 1, "user data")

    assert len(source.text) <= 16 * 2**20


def test_included_user_data_is_said_to_be_unread() -> None:
    text = "#include\nhttps://example.com/one.sh\n"
    found = [
        fact.why
        for _, facts in unfolded(Source("user-data", "user-data", text))
        for fact in facts
        if isinstance(fact, Unparsed)
    ]

    assert found == ["more user data comes from https://example.com/one.sh"]


def edits(text: str) -> list[str]:
    return [edit.text for f in look(Source("a", "shell", text)) for edit in f.edits]


def test_a_function_that_is_called_with_a_token_and_without_fetches_its_own() -> None:
    text = f'get() {{ curl -sf "{HOST}/latest/$1"; }}\n'
    text += f"if test -f /x; then\n  TOKEN=$({ASKS})\n  get a\nfi\nget b\n"

    assert edits(text)
    assert not [edit for edit in edits(text) if "$TOKEN" in edit]


def test_a_loop_that_waits_for_the_service_asks_for_a_token_each_time() -> None:
    (edit,) = edits(f"until curl -sf {HOST}/latest/; do sleep 1; done\n")

    assert edit.startswith(' -H "X-aws-ec2-metadata-token: $(curl -sf -X PUT ')


def test_a_fixed_script_that_could_live_without_the_service_still_can(tmp_path: Path) -> None:
    text = f"set -e\nNAME=$(curl -sf {HOST}/latest/ || echo none)\necho $NAME\n"
    fake = tmp_path / "curl"
    fake.write_text("#!/bin/sh\nexit 7\n")
    fake.chmod(0o755)
    (finding,) = look(Source("a", "shell", text))
    for edit in sorted(finding.edits, key=lambda e: -e.start):
        text = text[: edit.start] + edit.text + text[edit.end :]

    done = subprocess.run(
        ["bash", "-c", text],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "none\n"


def test_a_variable_that_a_template_escapes_is_the_shells_own() -> None:
    assert [r.host for r in requests(f"IMDS={HOST}\ncurl -s $${{IMDS}}/latest/\n")]


def test_what_stands_behind_a_percent_sign_in_a_crontab_is_no_command() -> None:
    assert requests(f"* * * * * cat > /x%curl -s {HOST}/latest/\n", "cron") == []
    assert requests(f"* * * * * touch /x-$(date +\\%s); curl -s {HOST}/latest/\n", "cron")


def test_a_dollar_in_a_unit_is_doubled() -> None:
    unit = f"[Service]\nExecStart=/bin/sh -c 'IMDS={HOST}; curl -s $$IMDS/latest/'\n"

    assert [found.host for found in requests(unit, "systemd")] == ["169.254.169.254"]


@pytest.mark.parametrize("dollar", ["$", "\\$"])
def test_a_command_in_a_here_document_is_found_once(dollar: str) -> None:
    text = f"cat > /x.sh <<EOF\n#!/bin/sh\nID={dollar}(curl -s {HOST}/latest/)\nEOF\n"

    assert [found.place.line for found in requests(text)] == [3]


@pytest.mark.parametrize("swapped", [False, True])
def test_a_header_that_one_way_sets_is_sent(*, swapped: bool) -> None:
    ways = ['H="-HX-aws-ec2-metadata-token:$T"', "H=''"]
    first, second = reversed(ways) if swapped else ways
    text = f"T=$({ASKS})\nif test -f /x; then {first}; else {second}; fi\n"

    assert requests(f"{text}curl -sf $H {HOST}/latest/\n")[-1].token == "yes"


@pytest.mark.parametrize(
    ("kind", "text", "fixed"),
    [
        ("user-data", SCRIPT, True),
        ("user-data", MIME.split("--b\nContent-Type: text/cloud", maxsplit=1)[0] + "--b--\n", True),
        ("dockerfile", f"RUN curl -s {HOST}/latest/\n", False),
        ("shell", f'sh -c "curl -s {HOST}/latest/"\n', False),
        ("systemd", f"[Service]\nExecStart=/usr/bin/curl -s {HOST}/latest/\n", False),
    ],
    ids=["user data", "mime", "dockerfile", "sh -c", "unit"],
)
def test_a_script_within_a_file_is_fixed_only_where_it_stands_as_it_is(
    kind: str, text: str, *, fixed: bool
) -> None:
    (finding,) = look(Source("a", kind, text))

    assert bool(finding.edits) is fixed


def test_a_token_that_is_asked_for_within_a_header_is_not_the_variables_value() -> None:
    header = f"X-aws-ec2-metadata-token: $(curl -s -X PUT {HOST}/latest/api/token)"
    text = f'ID=$(curl -sf -H "{header}" {HOST}/latest/)'

    assert [(one.method, one.stored_in) for one in requests(text)] == [("PUT", ""), ("GET", "ID")]


def test_a_script_that_tee_writes_is_not_called_by_where_its_echo_goes() -> None:
    text = f"tee /opt/tag.sh >/dev/null <<'EOF'\n#!/bin/sh\ncurl -s {HOST}/latest/\nEOF\n"
    (finding,) = look(Source("a", "shell", text))

    assert finding.inside == "tag.sh that it writes"
