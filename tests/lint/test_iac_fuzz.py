"""Garbage, halves of files and hostile ones: no crash, no hang, and an honest word."""

import random
import time
from pathlib import Path

import pytest

from imdsctl.lint.engine import look, unfolded
from imdsctl.lint.facts import Unparsed
from imdsctl.lint.kinds import kind_of
from imdsctl.lint.source import Source

AREA = Path(__file__).parent / "corpus" / "iac"
FILES = sorted(p for p in AREA.rglob("*") if p.is_file() and p.name != "expected.toml")
PIECES = ["{", "}", "[", "]", "${", "%{", "<<-EOF\n", "EOF\n", '"', "'", "\\", "\n", "\t", "&a ",
          "*a", "!If ", "<<: *a\n", ": ", "- ", "\0", "é", "\ud800", "\U0001f600", "var.x",
          "metadata_options", "HttpTokens", "null", "# ", "/*", "|\n", "---\n"]  # fmt: skip
PATIENCE = 5.0
"""Seconds for one file; the slowest takes a hundredth of it."""


def looked(path: str, text: str) -> float:
    kind = kind_of(path, text)
    begun = time.monotonic()
    for finding in look(Source(path, kind or "yaml", text)):
        assert finding.place.line >= 1
        assert finding.message
    return time.monotonic() - begun


def damaged(text: str, chance: random.Random) -> str:
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(text) + 1)
        end = min(len(text), at + chance.choice((0, 1, 3, 20, 200)))
        what = chance.choice((chance.choice(PIECES), text[at:end] * 2, ""))
        text = text[:at] + what + text[end:]
    return text


@pytest.mark.parametrize("seed", range(8))
def test_damaged_files_are_read_as_far_as_they_go(seed: int) -> None:
    chance = random.Random(seed)
    for path in FILES:
        text = path.read_text()
        for _ in range(3):
            assert looked(str(path), damaged(text, chance)) < PATIENCE


def test_every_beginning_of_a_file_is_read() -> None:
    for path in FILES:
        text = path.read_text()
        for end in range(0, len(text), max(len(text) // 12, 1)):
            assert looked(str(path), text[:end]) < PATIENCE


DEEP = 50_000
HOSTILE = {
    "brackets.json": "[" * DEEP + '"AWS::"',
    "maps.json": '{"AWS::EC2":' * DEEP,
    "flow.yaml": "AWS::EC2: " + "[" * 5_000,
    "block.yaml": "".join(" " * n + "AWS::EC2:\n" for n in range(1000)),
    "aliases.yaml": "AWS::EC2: x\na: &a [1, 2]\n"
    + "".join(f"k{n}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(24)),
    "self.yaml": "Resources: &r\n  A: *r\n  B: {Type: 'AWS::EC2::Instance', Properties: *r}\n",
    "merge.yaml": "AWSTemplateFormatVersion: x\nResources: &r\n  <<: *r\n  <<: [*r, *r]\n",
    "nested.tf": 'resource "aws_instance" "a" {\n' * 3_000,
    "parens.tf": 'resource "aws_instance" "a" {\n  ami = ' + "(" * DEEP + "1\n}\n",
    "ternary.tf": 'resource "aws_instance" "a" {\n  ami = ' + "a ? b : " * 3_000 + "c\n}\n",
    "locals.tf": "locals {\n  a0 = [1]\n"
    + "".join(f"  a{n + 1} = concat(local.a{n}, local.a{n})\n" for n in range(60))
    + '}\nresource "aws_instance" "a" {\n  user_data = local.a60\n}\n',
    "circle.tf": "locals {\n  a = local.b\n  b = local.a\n}\n"
    'resource "aws_instance" "a" {\n  metadata_options {\n    http_tokens = local.a\n  }\n}\n',
    "interpolation.tf": 'resource "aws_instance" "a" {\n  user_data = <<EOF\n#!/bin/sh\n'
    + "${" * 3_000 + "\nEOF\n}\n",
    "many.tf": 'resource "aws_instance" "a" {\n  ami = "x"\n}\n' * 6_000,
    "condition.yaml": "Conditions:\n"
    + "".join(f"  C{n}: !And [!Condition C{n + 1}, !Condition C{n + 1}]\n" for n in range(60))
    + "Resources:\n  A:\n    Type: AWS::EC2::Instance\n    Properties:\n      MetadataOptions:\n"
    "        HttpTokens: !If [C0, a, b]\n",
    "branches.yaml": "Resources:\n  A:\n    Type: AWS::EC2::Instance\n    Properties:\n"
    "      MetadataOptions: " + "!If [x, " * 30 + "a" + ", b]" * 30 + "\n",
    "mapping.yaml": "AWS::EC2: " + "x" * 1_000_000,
    "tasks.yml": "".join("  " * n + "- block:\n" for n in range(300)) + "169.254.",
    "user_data.sh.tftpl": "#!/bin/sh\n" + "%{ if x }${y}" * 20_000,
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_takes_no_time(name: str) -> None:
    assert looked(name, HOSTILE[name]) < PATIENCE


def test_a_loop_of_aliases_in_a_loop_is_no_loop() -> None:
    text = "AWSTemplateFormatVersion: x\nResources: &r\n  <<: *r\n"
    assert list(look(Source("a.yaml", "yaml", text))) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cut.tf", 'resource "aws_instance" "web" {\n  ami = "x"\n\nresource "aws_'),
        ("cut.tf.json", '{"resource": {"aws_instance":'),
        ("cut.yaml", "Resources:\n  A:\n    Type: 'AWS::EC2::Instance\n"),
        ("cut.json", '{"Resources": {"A": {"Type": "AWS::EC2::Instance"'),
        ("helm.yaml", "kind: EC2NodeClass\nspec:\n  metadataOptions:\n  {{- toYaml . }}\n"),
    ],
)
def test_what_cannot_be_read_is_said(name: str, text: str) -> None:
    kind = kind_of(name, text)
    assert kind is not None
    facts = [fact for _, found in unfolded(Source(name, kind, text)) for fact in found]
    assert any(isinstance(fact, Unparsed) for fact in facts)


def test_a_file_about_something_else_is_not_said_to_be_unreadable() -> None:
    text = "greeting: {{ .Values.greeting }}\nlist: [\n"
    assert list(unfolded(Source("chart.yaml", "yaml", text))) == [
        (Source("chart.yaml", "yaml", text), [])
    ]


def test_a_megabyte_of_resources_is_read_in_seconds() -> None:
    one = (
        'resource "aws_instance" "web" {\n  ami = var.ami\n  user_data = <<-EOF\n    #!/bin/sh\n'
        "    echo ${var.name}\n  EOF\n  metadata_options {\n"
        '    http_tokens = "optional"\n  }\n}\n'
    )
    text = one * (2**20 // len(one))
    assert looked("big.tf", text) < 60
