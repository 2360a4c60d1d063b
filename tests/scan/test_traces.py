"""Host traces as evidence: `scan --traces`, and what it changes in verdict, plan and gates."""

import json
from pathlib import Path
from typing import Any

import pytest
from whole_run import Operator, changes_of, cut_off, instances

FLEET = """
start = 2026-11-11T09:00:00Z
history_days = 14
[[account]]
id = "111111111111"
[[account.region]]
name = "eu-west-1"
defaults = { http_tokens = "required", http_put_response_hop_limit = 2 }
[[account.region.instance]]
name = "old"
launched_days_ago = 60
options = { http_tokens = "optional", http_put_response_hop_limit = 1 }
traced = true
callers = [{ program = "billing", behaviour = "v1-only", sdk = "aws-sdk-java/1.11.400" }]
[[account.region.instance]]
name = "first"
count = 2
launched_days_ago = 60
options = { http_tokens = "optional", http_put_response_hop_limit = 1 }
traced = true
callers = [{ program = "datadog-agent", behaviour = "v1-first" }]
[[account.region.instance]]
name = "pod"
launched_days_ago = 60
options = { http_tokens = "optional", http_put_response_hop_limit = 1 }
traced = true
callers = [{ program = "sidecar", behaviour = "fallback", container = "bridge" }]
[[account.region.instance]]
name = "dark"
launched_days_ago = 60
options = { http_tokens = "optional", http_put_response_hop_limit = 1 }
metrics = false
traced = true
callers = [{ program = "app", behaviour = "v2" }]
"""
ANALYZER = """\
[2026-11-10T11:03:58] [INFO] Try to attach multiple kernel functions.
[2026-11-10T11:03:58] [WARNING] IMDSv1(!) (pid:1016:curl argv:curl http://169.254.169.254/latest/) \
called by -> (pid:1015:backup.sh argv:/bin/sh /opt/backup.sh) -> (pid:640:crond argv:crond) \
Req details: GET /latest/meta-data/ HTTP/1.1, Host: 169.254.169.254, User-Agent: curl/7.61.1,
"""


def traced(aws: Any, folder: Path, *names: str) -> list[str]:
    """The trace of each instance with one of the names, in a file named after it."""
    files = []
    for name in names:
        for instance in instances(aws, name):
            path = folder / f"trace-{instance}.jsonl"
            lines = aws.control(f"trace/{instance}")
            path.write_text("".join(json.dumps(line) + "\n" for line in lines))
            files.append(str(path))
    return files


def scan(operator: Operator, *files: str) -> Any:
    answer = operator.scan("--regions", "eu-west-1", "--traces", *files)
    assert answer.code == 0, str(answer)
    return answer


def explained(operator: Operator, instance: str) -> Any:
    return operator("explain", instance, "-o", "json").json["verdict"]


def rules_of(verdict: Any) -> list[str]:
    return [reason["rule"] for reason in verdict["reasons"]]


def test_the_metric_says_that_somebody_calls_and_the_trace_says_who(
    operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    aws = simulated_aws(FLEET)
    (old,) = instances(aws, "old")
    assert operator.scan("--regions", "eu-west-1").code == 0
    assert "billing" not in operator("explain", old).out
    scan(operator, *traced(aws, tmp_path, "old"))
    verdict = explained(operator, old)
    assert verdict["status"] == "blocked"
    assert "traced-callers" in rules_of(verdict)
    said = operator("explain", old).out
    assert "billing" in said
    assert "aws-sdk-java/1.11.400" in said
    assert "never asks for a token" in " ".join(said.split())
    assert said.index("never asks") < said.index("around the clock"), "the cause comes first"


def asks_both_ways(file: Path) -> None:
    """Make of each call one of a program that asks by IMDSv1 and by IMDSv2, as s3fs does."""
    lines = []
    for line in map(json.loads, file.read_text().splitlines()):
        token = {"version": "token", "method": "PUT", "path": "/latest/api/token", "status": 200}
        lines += [line, {**line, **token}, {**line, "version": "v2"}]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_programs_that_try_v1_first_are_told_from_v1_only_ones_and_migrated(
    operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    aws = simulated_aws(FLEET)
    first = sorted(instances(aws, "first"))
    assert operator.scan("--regions", "eu-west-1").code == 0
    assert {explained(operator, i)["status"] for i in first} == {"blocked"}
    files = traced(aws, tmp_path, "first")
    scan(operator, *files)
    assert {explained(operator, i)["status"] for i in first} == {"blocked"}, (
        "while IMDSv1 answers, nobody can tell a program that would try IMDSv2 next"
    )
    for file in files:
        asks_both_ways(Path(file))
    scan(operator, *files)
    assert {explained(operator, i)["status"] for i in first} == {"ready"}
    plan = operator.plan()
    changes = [c for c in changes_of(plan) if c["resource"] in first]
    assert len(changes) == 2
    assert all("rejected-calls" not in c["gates"] for c in changes)
    answer = operator.apply()
    assert answer.code == 0, str(answer)
    assert cut_off(aws) == {}
    verified = operator("verify", operator.run(), "-o", "json")
    assert verified.code == 0, str(verified)
    words = [c["metric"] for c in verified.json["changes"] if c["resource"] in first]
    assert all("as expected" in word for word in words), words


def test_a_fallback_behind_the_hop_limit_is_found_out_without_any_tag(
    operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    aws = simulated_aws(FLEET)
    (pod,) = instances(aws, "pod")
    scan(operator, *traced(aws, tmp_path, "pod"))
    verdict = explained(operator, pod)
    assert verdict["status"] == "blocked"
    (reason,) = [r for r in verdict["reasons"] if r["rule"] == "hop-limit"]
    assert "its token request got no answer" in reason["summary"]
    steps = [c for c in changes_of(operator.plan()) if c["resource"] == pod]
    assert [c["after"]["http_put_response_hop_limit"] for c in steps] == [2, 2]
    assert operator.apply().code == 0
    assert cut_off(aws) == {}


def test_a_silent_trace_stands_in_for_a_metric_that_has_no_data(
    operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    aws = simulated_aws(FLEET)
    (dark,) = instances(aws, "dark")
    assert operator.scan("--regions", "eu-west-1").code == 0
    assert explained(operator, dark)["status"] == "unknown"
    (file,) = traced(aws, tmp_path, "dark")
    scan(operator, file)
    assert explained(operator, dark)["status"] == "ready"
    lines = Path(file).read_text()
    start = '{"record": "start", "began": "2026-10-28T09:00:00Z", "since_boot": false}\n'
    end = '{{"record": "summary", "ended": "2026-11-11T09:00:00Z", "lost": {{"total": {}}}}}\n'
    for text, status, why in (
        (start + lines + end.format(0), "ready", "it says that it lost nothing"),
        (start + lines + end.format(2), "unknown", "what was lost may have been a call"),
        (start + lines, "unknown", "it was killed, and never said what it lost"),
        (start.replace("}", ', "filtered": true}') + lines + end.format(0), "unknown", "filtered"),
    ):
        Path(file).write_text(text)
        scan(operator, file)
        assert explained(operator, dark)["status"] == status, why


def test_a_log_of_awss_packet_analyzer_is_read_with_low_confidence(
    operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    aws = simulated_aws(FLEET)
    (dark,) = instances(aws, "dark")
    log = tmp_path / "imds-trace.log"
    log.write_text(ANALYZER)
    scan(operator, f"{dark}={log}")
    verdict = explained(operator, dark)
    assert verdict["status"] == "blocked"
    (reason,) = [r for r in verdict["reasons"] if r["rule"] == "traced-callers"]
    assert "backup.sh" in reason["summary"]
    found = operator("explain", dark, "-o", "json").json["evidence"]
    assert any("aws-imds-packet-analyzer" in one["summary"] for one in found)


def test_the_trace_stays_known_at_the_next_scan_without_it(
    operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    aws = simulated_aws(FLEET)
    (old,) = instances(aws, "old")
    scan(operator, *traced(aws, tmp_path, "old"))
    assert operator.scan("--regions", "eu-west-1").code == 0
    assert "traced-callers" in rules_of(explained(operator, old))
    aws.control("clock", {"advance_seconds": 40 * 86_400})
    assert operator.scan("--regions", "eu-west-1").code == 0
    assert "traced-callers" not in rules_of(explained(operator, old)), "it is too old by now"


def test_rotated_files_of_one_instance_are_one_trace(
    operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    aws = simulated_aws(FLEET)
    (dark,) = instances(aws, "dark")
    (file,) = traced(aws, tmp_path, "dark")
    lines = Path(file).read_text().splitlines(keepends=True)
    half = len(lines) // 2
    newer, older = tmp_path / f"{dark}.log", tmp_path / f"{dark}.log.1"
    newer.write_text("".join(lines[half:]))
    older.write_text("".join(lines[:half]))
    scan(operator, str(newer), str(older))
    assert explained(operator, dark)["status"] == "ready", "neither half would be long enough"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("notes.txt", "hello\n", "holds no line of a trace"),
        ("trace.jsonl", '{"version": "v1", "ts": "2026-11-10T00:00:00Z"}\n', "of which instance"),
        ("i-0123456789abcdef0.jsonl", '{"version": "v1", "ts": "soon"}\n', ":1 is no line"),
        ("i-0123456789abcdef0.jsonl", '{"version": "v1"}\n', ":1 is no line of a trace"),
        ("i-0123456789abcdef0.jsonl", '{"version" "v1"}\n{}\n', ":1 is neither JSON nor"),
    ],
)
def test_what_is_no_trace_is_refused_before_anything_is_read(
    name: str, text: str, said: str, operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    aws = simulated_aws(FLEET)
    (tmp_path / name).write_text(text)
    answer = operator.scan("--regions", "eu-west-1", "--traces", str(tmp_path / name))
    assert answer.code == 2, str(answer)
    assert said in answer.err
    assert not any(c["operation"] == "DescribeInstances" for c in aws.control("calls")["calls"])


def test_a_trace_of_an_unknown_instance_is_said_and_the_scan_counts(
    operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    simulated_aws(FLEET)
    path = tmp_path / "i-0123456789abcdef0.jsonl"
    path.write_text('{"version": "v1", "ts": "2026-11-10T00:00:00Z"}\n')
    answer = operator.scan("--regions", "eu-west-1", "--traces", str(path))
    assert answer.code == 3
    assert "i-0123456789abcdef0: no such instance" in answer.err
    assert answer.json["instances"]["total"] == 5


def test_a_last_line_that_was_cut_off_is_left_out(
    operator: Operator, simulated_aws: Any, tmp_path: Path
) -> None:
    aws = simulated_aws(FLEET)
    (old,) = instances(aws, "old")
    (file,) = traced(aws, tmp_path, "old")
    with Path(file).open("a") as log:
        log.write('{"version": "v1", "ts": "2026-')
    scan(operator, file)
    assert "traced-callers" in rules_of(explained(operator, old))
