"""No text makes a reader of shell, or of what carries it, fail or take long."""

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imdsctl.lint.engine import look
from imdsctl.lint.kinds import kind_of
from imdsctl.lint.source import Source

ROOT = Path(__file__).parent / "corpus"
FILES = sorted(
    path
    for folder in ("shell", "shell-fixes")
    for path in (ROOT / folder).rglob("*")
    if path.is_file() and path.name != "expected.toml"
)
TEXTS = [(kind_of(str(path), path.read_text()) or "shell", path.read_text()) for path in FILES]
KINDS = ["shell", "user-data", "cloud-config", "dockerfile", "systemd", "cron"]
PIECES = [
    "$(", "`", '"', "'", "${", "}", ")", "<<EOF\n", "EOF\n", "|", "&&", "||", "\\\n", "\x00",
    "\ufeff", "é", "if ", "fi\n", "do ", "done\n", "{ ", "f() {", "esac", "=", "curl -", " -H ",
    "$@", "${A[@]}", "http://169.254.169.254/", "RUN ", "- ", "[", "#cloud-config\n",
    "ExecStart=", "%", "\r\n", "\ud800", "Content-Type: multipart/mixed; boundary=x\n\n--x\n",
    "\x1f\x8b", "${!x}", "((", "/dev/tcp/",
    "{\U0010ffff", "{1..\U0010ffff", "{9\U000f0000",
]  # fmt: skip
LONGEST_SECONDS = 5


def quickly_looked_at(kind: str, text: str) -> None:
    before = time.process_time()
    for finding in look(Source("fuzzed", kind, text)):
        assert 1 <= finding.place.line <= text.count("\n") + 1
        for edit in finding.edits:
            assert 0 <= edit.start <= edit.end <= len(text)
    assert time.process_time() - before < LONGEST_SECONDS


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, str]:
    """A file of the corpus, cut, spliced and strewn with what grammars stumble over."""
    kind, text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(text)))
        match draw(st.sampled_from(["insert", "cut", "repeat", "splice"])):
            case "insert":
                text = text[:at] + draw(st.sampled_from(PIECES)) + text[at:]
            case "cut":
                text = text[:at] + text[at + draw(st.integers(1, 40)) :]
            case "repeat":
                piece = text[at : at + draw(st.integers(1, 30))]
                text = text[:at] + piece * draw(st.integers(2, 60)) + text[at:]
            case _:
                _, other = draw(st.sampled_from(TEXTS))
                text = text[:at] + other[draw(st.integers(0, len(other))) :][:400]
    return draw(st.sampled_from([kind, kind, kind, *KINDS])), text


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(mutated())
def test_a_mutated_file_is_read_to_its_end(found: tuple[str, str]) -> None:
    quickly_looked_at(*found)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(KINDS),
    st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=20)), max_size=40).map("".join),
)
def test_garbage_is_read_to_its_end(kind: str, text: str) -> None:
    quickly_looked_at(kind, f"# 169.254.169.254\n{text}")


DEEP = {
    "substitutions": "echo " + "$(" * 3000 + "curl http://169.254.169.254/" + ")" * 3000,
    "quotes": 'echo "' + '"$("' * 4000 + "169.254.169.254",
    "groups": "{ " * 5000 + "curl http://169.254.169.254/; " + "}; " * 5000,
    "ifs": "if x; then\n" * 3000 + "curl http://169.254.169.254/\n" + "fi\n" * 3000,
    "a chain": "curl http://169.254.169.254/ && " * 5000 + "true",
    "a pipe": "curl http://169.254.169.254/ | " * 3000 + "cat",
    "doubling": "A=169.254.169.254\n" + "A=$A$A\n" * 64 + "curl http://$A/",
    "doubling arrays": "A=(169.254.169.254)\n"
    + 'A=("${A[@]}" "${A[@]}")\n' * 64
    + 'curl "${A[@]}"',
    "recursion": 'f() { g "$@"; g; }\ng() { f x "$@"; f; }\nf http://169.254.169.254/\n',
    "fan out": "".join(f"f{n}() {{ f{n + 1}; f{n + 1}; f{n + 1}; }}\n" for n in range(40))
    + "f40() { curl http://169.254.169.254/; }\nf0\n",
    "heredocs": "cat > a.sh <<'EOF'\n" * 2000 + "curl http://169.254.169.254/\nEOF\n",
    "scripts in scripts": "sh -c '" * 200 + "curl http://169.254.169.254/",
}  # fmt: skip


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_deep_and_growing_scripts_end(text: str) -> None:
    quickly_looked_at("shell", text)


@pytest.mark.parametrize(
    "text",
    [
        "#cloud-config\nruncmd: " + "[" * 100_000,
        "#cloud-config\n" + "- " * 50_000 + "169.254.169.254",
    ],
    ids=["flow", "block"],
)
def test_deep_yaml_does_not_end_the_process(text: str) -> None:
    quickly_looked_at("user-data", text)


BIG = {
    "shell": 'ID=$(curl -s http://169.254.169.254/latest/meta-data/instance-id)\necho "$ID"\n',
    "dockerfile": "RUN curl -s http://169.254.169.254/latest/meta-data/instance-id\n",
    "cron": "* * * * * root curl -s http://169.254.169.254/latest/meta-data/instance-id\n",
    "systemd": "ExecStart=/usr/bin/curl -s http://169.254.169.254/latest/meta-data/instance-id\n",
}  # fmt: skip


@pytest.mark.parametrize("kind", BIG)
def test_a_file_of_a_megabyte_is_read_in_seconds(kind: str) -> None:
    text = BIG[kind] * (2**20 // len(BIG[kind]))
    before = time.process_time()

    assert list(look(Source("big", kind, text)))
    assert time.process_time() - before < 60
