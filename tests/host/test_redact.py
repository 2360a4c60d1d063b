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
        ("/JalrXUtnFEMI1K7MDENG2bPxRfiCYEXAMPLEKEY", "***"),
        ("AQAEAFEOMInKb-S7me-hLqzu83lYdeDV7r-sPh2D4SJF6v5IwD4S8g==", "***"),
        ("export TOKEN=abc; run", "export TOKEN=***; run"),
        ('{"password": "hunter two", "a": 1}', '{"password": ***, "a": 1}'),
        ("PGPASSWORD='hunter two' psql", "PGPASSWORD=*** psql"),
        ("aws configure --secret-key hunter2 --x y", "aws configure --secret-key *** --x y"),
        ("curl -u me:hunter2 http://host/", "curl -u *** http://host/"),
        ("agent/1.0 Bearer hunter2", "agent/1.0 Bearer ***"),
        (
            "https://b.example/x?X-Amz-Signature=hunter2&a=b",
            "https://b.example/x?X-Amz-Signature=***&a=b",
        ),
        ("http_tokens=hunter2", "http_tokens=***"),
        # What stays.
        ("X-aws-ec2-metadata-token-ttl-seconds: 60", "X-aws-ec2-metadata-token-ttl-seconds: 60"),
        ("http://169.254.169.254/latest/api/token", "http://169.254.169.254/latest/api/token"),
        ("/usr/lib/python3/dist-packages/amazon_cloudwatch_agent/main.py",) * 2,
        ("--region=eu-west-1", "--region=eu-west-1"),
        ("http_tokens: optional",) * 2,
        ('"HttpTokens": "required", "a": 1',) * 2,
        ("aws ec2 run-instances --metadata-options HttpTokens=required,HttpEndpoint=enabled",) * 2,
        ("aws ec2 modify-instance-metadata-options --http-tokens optional",) * 2,
        ("/opt/app/releases/20260101/bin/worker-with-a-long-name",) * 2,
        ("/Users/me/Projects/App2/build/output/bin/server1",) * 2,
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


@pytest.mark.parametrize(
    ("arguments", "clean"),
    [
        (["/usr/bin/mysql", "-phunter2", "-h", "db"], ["/usr/bin/mysql", "-p***", "-h", "db"]),
        (["sshpass", "-p", "hunter2", "ssh", "db"], ["sshpass", "-p", "***", "ssh", "db"]),
        (["ssh", "-p", "22", "db"], ["ssh", "-p", "22", "db"]),
    ],
)
def test_a_programs_own_option_for_a_password_is_known(
    arguments: list[str], clean: list[str]
) -> None:
    assert redact(arguments) == clean


def test_a_long_command_line_is_cut() -> None:
    assert len(redact(["x" * 5000] * 500)) <= 65
    assert len(redact(["x" * 5000])[0]) <= 1024
