"""Fixes in what a file holds for others: quoted here-docs, and block scalars of cloud-config."""

from typing import Any

import pytest
import yaml
from shell_runs import ran_beside_imds

from imdsctl.lint.engine import look
from imdsctl.lint.fixes import Mended, mended
from imdsctl.lint.run import Selection
from imdsctl.lint.source import Source

URL = "http://169.254.169.254/latest/meta-data"
FETCH = (
    'IMDS_TOKEN=$(curl -sf -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 21600" '
    "http://169.254.169.254/latest/api/token)"
)
SENDS = '-H "X-aws-ec2-metadata-token: $IMDS_TOKEN"'

HERE_DOC = f"""\
#!/bin/bash
cat > ./who.sh <<'EOF'
#!/bin/bash
id=$(curl -sf {URL}/instance-id)
echo "I am $id"
EOF
tee ./where.sh >/dev/null <<-"END"
\t#!/bin/sh -e
\tif true; then
\t    zone=$(curl -sf {URL}/placement/availability-zone)
\t    echo "I am in $zone"
\tfi
\tEND
bash ./who.sh && sh ./where.sh
"""
QUOTED = f"""\
#!/bin/bash
sh -c '
  id=$(curl -sf {URL}/instance-id)
  echo "I am $id"
'
"""
CLOUD_CONFIG = f"""\
#cloud-config
write_files:
  - path: /usr/local/bin/who.sh
    permissions: "0755"
    content: |
      #!/bin/bash
      id=$(curl -sf {URL}/instance-id)
      echo "I am $id"
runcmd:
  - |
    set -e
    zone=$(curl -sf {URL}/placement/availability-zone)
    echo "I am in $zone"
"""


def fixed(name: str, text: str, kind: str) -> Mended:
    return mended(name, text, kind, Selection())


def ran(*scripts: tuple[str, str]) -> list[dict[str, Any]]:
    """What bash scripts print with their IMDSv1 calls; each with what `http_tokens` is."""
    return ran_beside_imds([("script", "bash", *one) for one in scripts])


def test_scripts_in_quoted_here_docs_get_over_v2_what_they_got_over_v1() -> None:
    after = fixed("install.sh", HERE_DOC, "shell")

    assert (after.fixed, after.left) == (2, 0)
    before, refused, now = ran(
        (HERE_DOC, "optional"), (HERE_DOC, "required"), (after.text, "required")
    )
    assert (before["v1"], refused["out"] == before["out"]) == (2, False)
    assert (now["code"], now["out"], now["v1"]) == (0, before["out"], 0), now


def test_a_script_between_single_quotes_gets_over_v2_what_it_got_over_v1() -> None:
    after = fixed("install.sh", QUOTED, "shell")

    before, now = ran((QUOTED, "optional"), (after.text, "required"))
    assert before["v1"] == 1
    assert (now["code"], now["out"], now["v1"]) == (0, before["out"], 0), now


def test_scripts_in_block_scalars_of_cloud_config_get_over_v2_what_they_got_over_v1() -> None:
    after = fixed("user-data", CLOUD_CONFIG, "user-data")

    assert (after.fixed, after.left) == (2, 0)
    old, new = yaml.safe_load(CLOUD_CONFIG), yaml.safe_load(after.text)
    assert new["write_files"][0]["path"] == "/usr/local/bin/who.sh"
    pairs = [
        (old["write_files"][0]["content"], new["write_files"][0]["content"]),
        (old["runcmd"][0], new["runcmd"][0]),
    ]
    for was, is_now in pairs:
        before, now = ran((was, "optional"), (is_now, "required"))
        assert before["v1"] == 1
        assert (now["code"], now["out"], now["v1"]) == (0, before["out"], 0), now


def test_the_new_lines_stand_behind_the_margin_of_their_script() -> None:
    rows = fixed("install.sh", HERE_DOC, "shell").text.split("\n")
    scalar = fixed("user-data", CLOUD_CONFIG, "user-data").text.split("\n")

    assert FETCH in rows
    assert f"\t    {FETCH}" in rows
    assert f"      {FETCH}" in scalar
    assert f"    {FETCH} || true" in scalar or f"    {FETCH}" in scalar
    assert sum(SENDS in row for row in (*rows, *scalar)) == 4


@pytest.mark.parametrize(
    ("name", "kind", "text"),
    [
        ("a.sh", "shell", f"cat > who.sh <<EOF\n#!/bin/sh\ncurl -s {URL}/mac \\$HOME\nEOF\n"),
        (
            "a.sh",
            "shell",
            f"ssh web bash <<EOF\ncat > a.sh <<'END'\ncurl -s {URL}/mac\nEND\nEOF\n",
        ),
        ("a.sh", "shell", f"cat > a.sh <<-'EOF'\n\tset -e\n\t\tcurl -s {URL}/mac\nEOF\n"),
        ("user-data", "user-data", f"#cloud-config\nruncmd:\n  - curl -s {URL}/mac\n"),
        ("user-data", "user-data", f'#cloud-config\nruncmd:\n  - "curl -s {URL}/mac"\n'),
        ("user-data", "user-data", f"#cloud-config\nruncmd:\n  - >\n    curl -s {URL}/mac\n"),
        (
            "user-data",
            "user-data",
            f"#cloud-config\nruncmd:\n  - >\n    {FETCH}\n  - curl -s {URL}/mac\n",
        ),
        (
            "a.sh",
            "shell",
            f"cat > user-data <<EOF\n#cloud-config\nruncmd:\n - |\n   curl {URL}\nEOF\n",
        ),
    ],
    ids=[
        "expanded", "in one that is expanded", "uneven tabs", "plain", "quoted", "folded",
        "plain behind a token", "cloud-config that a shell expands",
    ],
)  # fmt: skip
def test_what_another_reader_changes_first_is_left_alone(name: str, kind: str, text: str) -> None:
    assert fixed(name, text, kind).text == text


@pytest.mark.parametrize("program", ["curl -sf", "wget -qO-"])
@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("dockerfile", "FROM a\nRUN {} > /etc/mac\n"),
        ("systemd", "[Service]\nExecStart=/bin/sh -c '{}'\n"),
        ("cron", "* * * * * root {}\n"),
    ],
    ids=["dockerfile", "unit", "crontab"],
)
def test_where_no_fix_can_be_made_the_command_that_is_named_works(
    program: str, kind: str, text: str
) -> None:
    call = f"{program} {URL}/mac"
    (finding,) = look(Source("a", kind, text.format(call)))
    command = finding.fix.partition("In one command that a shell reads: ")[2]
    name, _, options = program.partition(" ")

    assert not finding.edits
    assert command.startswith(f"{name} ")
    now = command.replace("…", f"{options} {URL}/mac")
    before, after = ran((call, "optional"), (now, "required"))
    assert (after["code"], after["out"], after["v1"]) == (0, before["out"], 0)
