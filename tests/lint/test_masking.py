"""What is shown of people's files: secrets are not, what only speaks of a token is."""

import pytest

from imdsctl.lint.masking import masked


@pytest.mark.parametrize(
    "line",
    [
        'curl -sf -H "X-aws-ec2-metadata-token: $TOKEN" http://169.254.169.254/latest/user-data',
        'curl -sf -H "X-aws-ec2-metadata-token: ${IMDS_TOKEN}" "$URL"',
        "TOKEN=$(curl -sf -X PUT http://169.254.169.254/latest/api/token)",
        'requests.get(URL, headers={"X-aws-ec2-metadata-token": _imds_token()}).text',
        'X-aws-ec2-metadata-token: "{{ imds_token.content }}"',
        '  http_tokens = "optional"',
    ],
)
def test_what_only_speaks_of_a_token_stays(line: str) -> None:
    assert masked(line) == line


@pytest.mark.parametrize(
    "line",
    [
        'curl -H "X-aws-ec2-metadata-token: hunter2" http://169.254.169.254/latest/user-data',
        "TOKEN=hunter2 run",
        'curl -H "X-aws-ec2-metadata-token: $T" -H "Authorization: Bearer hunter2" http://host/',
        "TOKEN=$(get --password hunter2)",
        'headers={"X-aws-ec2-metadata-token": token(), "Cookie": "hunter2"}',
        "\ufdd0 TOKEN=$(x) PASSWORD=hunter2",
    ],
)
def test_a_secret_beside_it_does_not(line: str) -> None:
    said = masked(line)
    assert "hunter2" not in said
    assert "***" in said
