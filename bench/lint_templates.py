"""How fast templates are linted, beside Checkov with its checks of IMDSv2 alone.

    python bench/lint_templates.py [--files 10000] [--beside 1000] [--scanner PATH]

Modules of Terraform and stacks of CloudFormation are made as repositories have them: some require
tokens, some allow IMDSv1, some say nothing; some have variables in another file, user data, both.
All of them are read by this project's readers and judged by its rules, with every script in them,
in one process. Checkov reads as many of them as --beside says with CKV_AWS_79 and CKV_AWS_341 and
nothing else, in as many processes as it likes. Its start, which is no reading, is measured on an
empty folder and taken off. Processor time is told beside the time that passed: the one is the work,
the other depends on what else runs.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from imdsctl.lint.engine import look
from imdsctl.lint.kinds import kind_of
from imdsctl.lint.source import Source

ROOT = Path(__file__).parents[1]
SCANNER = Path(os.environ.get("IMDSCTL_JUDGES", ROOT / ".judges")) / "checkov" / "bin" / "checkov"
CHECKS = "CKV_AWS_79,CKV_AWS_341"

VARIABLES = """\
variable "name" {
  type = string
}

variable "http_tokens" {
  type    = string
  default = "%s"
}
"""
INSTANCE = """\
data "aws_ami" "base" {
  most_recent = true
  owners      = ["amazon"]
  filter {
    name   = "name"
    values = ["%s-*"]
  }
}

resource "aws_instance" "this" {
  ami           = data.aws_ami.base.id
  instance_type = "t3.micro"
  subnet_id     = var.subnet_id
  user_data     = <<-EOF
    #!/bin/bash
    set -euo pipefail
    ID=$(curl -sf http://169.254.169.254/latest/meta-data/instance-id)
    hostnamectl set-hostname "${var.name}-$${ID}"
    systemctl restart agent
  EOF
%s
  tags = {
    Name = var.name
  }
}
"""
TEMPLATE = """\
resource "aws_launch_template" "web" {
  name_prefix   = "${var.name}-"
  instance_type = "t3.small"
%s
}

resource "aws_autoscaling_group" "web" {
  min_size = 1
  max_size = 4
  launch_template {
    id      = aws_launch_template.web.id
    version = "$Latest"
  }
}
"""
OPTIONS = (
    "",
    '\n  metadata_options {\n    http_tokens = "required"\n  }\n',
    '\n  metadata_options {\n    http_endpoint = "enabled"\n    http_tokens   = "optional"\n  }\n',
    "\n  metadata_options {\n    http_tokens = var.http_tokens\n  }\n",
)
STACK = """\
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Tokens:
    Type: String
    Default: required
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: []}
  Web:
    Type: AWS::EC2::Instance
    Properties:
      ImageId: ami-0123456789abcdef0
      InstanceType: t3.micro
%s      UserData:
        Fn::Base64: !Sub |
          #!/bin/bash
          curl -s http://169.254.169.254/latest/meta-data/placement/region
          /opt/aws/bin/cfn-signal --stack ${AWS::StackName}
"""
STACK_OPTIONS = (
    "",
    "      MetadataOptions:\n        HttpTokens: required\n",
    "      MetadataOptions:\n        HttpTokens: optional\n",
    "      MetadataOptions:\n        HttpTokens: !Ref Tokens\n",
)


def plant(root: Path, files: int) -> None:
    """So many files, in folders of four: a module's three and a stack."""
    for number in range(files // 4):
        folder = root / f"team{number // 100}" / f"app{number}"
        folder.mkdir(parents=True)
        options = OPTIONS[number % len(OPTIONS)]
        image = ("al2023-ami", "amzn2-ami-hvm", "ecs-optimized")[number % 3]
        tokens = ("required", "optional")[number % 2]
        (folder / "variables.tf").write_text(VARIABLES % tokens)
        (folder / "instance.tf").write_text(INSTANCE % (image, options))
        (folder / "template.tf").write_text(TEMPLATE % options)
        stack = STACK % STACK_OPTIONS[number % len(STACK_OPTIONS)]
        (folder / "stack.yaml").write_text(stack)


def files_of(root: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(root):
        yield from (Path(folder, name) for name in names)


class Took(NamedTuple):
    """Seconds that passed, and seconds of processors."""

    passed: float
    worked: float

    def without(self, start: "Took") -> "Took":
        left = (max(mine - its, 0.001) for mine, its in zip(self, start, strict=True))
        return Took(*left)


def linted(root: Path) -> tuple[Took, int, int]:
    """Seconds, files and findings."""
    begun, worked = time.perf_counter(), time.process_time()
    files = findings = 0
    for path in files_of(root):
        text = path.read_text()
        kind = kind_of(str(path), text)
        assert kind is not None
        findings += sum(1 for _ in look(Source(str(path), kind, text)))
        files += 1
    took = Took(time.perf_counter() - begun, time.process_time() - worked)
    return took, files, findings


def scanned(scanner: Path, root: Path) -> Took:
    """Seconds of the scanner and all its processes."""
    begun, before = time.perf_counter(), _children()
    done = subprocess.run(
        [scanner, "-d", root, "--check", CHECKS, "--framework", "terraform", "cloudformation",
         "--compact", "--quiet", "--skip-download", "-o", "json"],
        capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode not in (0, 1):
        sys.exit(f"{scanner} ended with {done.returncode}: {done.stderr.decode()[-500:]}")
    return Took(time.perf_counter() - begun, _children() - before)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def row(name: str, files: int, took: Took, more: str) -> str:
    by_clock, by_work = files / took.passed, files / took.worked
    return (
        f"{name:<14} {files:>6} files  {took.passed:6.1f} s passed {by_clock:6.0f} files/s  "
        f"{took.worked:6.1f} s of processors {by_work:6.0f} files/s  {more}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--beside", type=int, default=1_000)
    parser.add_argument("--scanner", type=Path, default=SCANNER)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        many, few, none = Path(name, "many"), Path(name, "few"), Path(name, "none")
        none.mkdir()
        plant(many, given.files)
        plant(few, given.beside)
        linted(few)  # grammars and rules are loaded once
        mine, files, findings = linted(many)
        print(row("imdsctl lint", files, mine, f"{findings} findings"))
        if not given.scanner.exists():
            print("checkov        not installed (make scanners): nothing to compare with")
            return
        start = scanned(given.scanner, none)
        its = scanned(given.scanner, few).without(start)
        count = sum(1 for _ in files_of(few))
        print(row("checkov", count, its, f"and {start.passed:.1f} s to start"))
        passed, worked = ((files / m) / (count / i) for m, i in zip(mine, its, strict=True))
        print(f"ratio          {passed:.1f} × as many files a second, {worked:.1f} by processors")


if __name__ == "__main__":
    main()
