"""Settings that switch v1, or all of the metadata service, off or on."""

import json
from pathlib import Path

import pytest

from host_audit.audited import imdsctl, look, put

V1_OFF = "AWS_EC2_METADATA_V1_DISABLED"


@pytest.mark.parametrize(
    ("where", "content", "name", "value", "effect"),
    [
        ("etc/environment", f"{V1_OFF}=true\n", V1_OFF, "true", "v1-off"),
        ("etc/environment", f'{V1_OFF}="True"\n', V1_OFF, "True", "v1-off"),
        ("etc/default/app", f"{V1_OFF}=1\n", V1_OFF, "1", "none"),
        ("root/.bashrc", f"export {V1_OFF}=false\n", V1_OFF, "false", "none"),
        ("etc/profile.d/aws.sh", "export AWS_EC2_METADATA_DISABLED=true",
         "AWS_EC2_METADATA_DISABLED", "true", "imds-off"),
        ("etc/systemd/system/a.service", f"[Service]\nEnvironment={V1_OFF}=true A=b\n", V1_OFF,
         "true", "v1-off"),
        ("etc/systemd/system/a.service.d/x.conf", f'[Service]\nEnvironment="{V1_OFF}=true"\n',
         V1_OFF, "true", "v1-off"),
        ("etc/sysconfig/java", 'JAVA_OPTS="-Xmx1g -Daws.disableEc2MetadataV1=true"',
         "aws.disableEc2MetadataV1", "true", "v1-off"),
        ("root/.aws/config", "[profile x]\nec2_metadata_v1_disabled = true\n",
         "ec2_metadata_v1_disabled", "true", "v1-off"),
        ("root/.aws/config", "[default]\nec2_metadata_service_endpoint = http://u:p@10.0.0.1\n",
         "ec2_metadata_service_endpoint", "http://…@10.0.0.1", "elsewhere"),
        ("etc/datadog-agent/datadog.yaml", "api_key: x\nec2_prefer_imdsv2: false\n",
         "ec2_prefer_imdsv2", "false", "v1-forced"),
        ("etc/datadog-agent/datadog.yaml", "ec2_prefer_imdsv2: true\n", "ec2_prefer_imdsv2", "true",
         "v2-preferred"),
        ("etc/fluent-bit/fluent-bit.conf", "[FILTER]\n  Name aws\n  imds_version v1\n",
         "imds_version", "v1", "v1-forced"),
        ("fluent-bit/etc/x.yaml", "filters:\n  - name: aws\n    imds_version: v2\n",
         "imds_version", "v2", "v2-preferred"),
        ("etc/fstab", "s3fs#b /mnt fuse.s3fs _netdev,iam_role=auto,imdsv1only 0 0\n", "imdsv1only",
         "set", "v1-forced"),
        ("etc/default/puppet", "AWS_IMDSv2=true\n", "AWS_IMDSv2", "true", "v2-preferred"),
    ],
)  # fmt: skip
def test_a_setting_is_found_with_what_it_does(
    where: str, content: str, name: str, value: str, effect: str, tmp_path: Path
) -> None:
    put(tmp_path, where, content)
    (one,) = look(tmp_path)["settings"]
    assert (one["name"], one["value"], one["effect"]) == (name, value, effect)
    assert one["where"] == f"/{where}"


@pytest.mark.parametrize(
    ("where", "content"),
    [
        ("etc/environment", f"#{V1_OFF}=true\n"),
        ("etc/environment", f"MY_{V1_OFF}=true\n"),
        ("etc/datadog-agent/datadog.yaml", "# ec2_prefer_imdsv2: false\n"),
        ("etc/fluent-bit/fluent-bit.conf", "# imds_version v1\n"),
        ("home/config", "ec2_metadata_v1_disabled = true"),
        ("etc/default/x", "aws.disableEc2MetadataV1=true"),
    ],
)
def test_comments_and_other_files_set_nothing(where: str, content: str, tmp_path: Path) -> None:
    put(tmp_path, where, content)
    assert look(tmp_path)["settings"] == []


def test_what_forces_v1_is_a_finding_for_the_exit_code(tmp_path: Path) -> None:
    put(tmp_path, "etc/environment", f"{V1_OFF}=true\n")
    done = imdsctl("host", "audit", "--root", tmp_path)
    assert done.returncode == 0
    assert f"{V1_OFF}=true" in done.stdout
    put(tmp_path, "etc/fluent-bit/a.conf", "imds_version v1\n")
    done = imdsctl("host", "audit", "--root", tmp_path)
    assert done.returncode == 1
    assert "HIGH" in done.stdout
    assert "imds_version=v1" in done.stdout


def test_the_same_setting_in_many_places_is_one_line(tmp_path: Path) -> None:
    for name in "abcdef":
        put(tmp_path, f"etc/default/{name}", f"{V1_OFF}=true\n")
    done = imdsctl("host", "audit", "--root", tmp_path)
    assert done.stdout.count(f"{V1_OFF}=true") == 1
    assert "and 3 more" in done.stdout


def test_secrets_beside_the_settings_appear_nowhere(tmp_path: Path) -> None:
    secret = "MARKED0SECRET0VALUE"
    put(tmp_path, "etc/environment", f"AWS_SECRET_ACCESS_KEY={secret}\n{V1_OFF}=true\n")
    put(tmp_path, "root/.aws/config", f"[default]\naws_secret_access_key={secret}\n"
        "ec2_metadata_v1_disabled=true\n")  # fmt: skip
    put(tmp_path, "etc/datadog-agent/datadog.yaml", f"api_key: {secret}\nec2_prefer_imdsv2: true")
    put(tmp_path, "etc/default/e", f"AWS_EC2_METADATA_SERVICE_ENDPOINT=http://me:{secret}@[::1]/\n")
    for output in ("json", "table"):
        done = imdsctl("host", "audit", "--root", tmp_path, "-v", "-o", output)
        assert secret not in done.stdout + done.stderr
    assert len(look(tmp_path)["settings"]) == 4
    assert json.dumps(look(tmp_path)["settings"])
