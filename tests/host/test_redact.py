"""What could be a secret leaves a command line; what people need to recognise it stays."""

import pytest

from imdsctl.host.redact import redact


@pytest.mark.parametrize(
    ("argument", "clean"),
    [
        ("X-aws-ec2-metadata-token: AQAEAFEOMInKb", "X-aws-ec2-metadata-token: ***"),
        ("Authorization: Bearer abc", "Authorization: ***"),
        ("--password=hunter2", "--password=***"),
        ("https://me:hunter2@example.com/x", "https://***@example.com/x"),
        ("DB_PASSWORD=hunter2", "DB_PASSWORD=***"),
        ("ASIAFAKEABCDEFGHIJKL", "ASIA***"),
        ("wJalrXUtnFEMI1K7MDENG2bPxRfiCYEXAMPLEKEY99", "***"),
        ("AQAEAFEOMInKb-S7me-hLqzu83lYdeDV7r-sPh2D4SJF6v5IwD4S8g==", "***"),
        ("export TOKEN=abc; run", "export TOKEN=***; run"),
        # What stays.
        ("X-aws-ec2-metadata-token-ttl-seconds: 60", "X-aws-ec2-metadata-token-ttl-seconds: 60"),
        ("http://169.254.169.254/latest/api/token", "http://169.254.169.254/latest/api/token"),
        ("/usr/lib/python3/dist-packages/amazon_cloudwatch_agent/main.py",) * 2,
        ("--region=eu-west-1", "--region=eu-west-1"),
    ],
)
def test_a_secret_is_hidden_and_the_rest_is_not(argument: str, clean: str) -> None:
    assert redact([argument]) == [clean]


def test_the_argument_after_a_secret_option_is_hidden() -> None:
    assert redact(["mysql", "--password", "hunter2", "-h", "db"]) == [
        "mysql",
        "--password",
        "***",
        "-h",
        "db",
    ]
    assert redact(["curl", "-u", "me:hunter2"]) == ["curl", "-u", "***"]


def test_a_long_command_line_is_cut() -> None:
    assert len(redact(["x" * 5000] * 500)) <= 65
    assert len(redact(["x" * 5000])[0]) <= 1024
