"""Each kind of database and manifest, as its tool writes it."""

import json
from pathlib import Path

import pytest

from host_audit.audited import found, look, only, put

NODE = '{"name": "aws-sdk", "version": "2.500.0"}'
DPKG = """Package: awscli
Status: install ok installed
Architecture: all
Version: 1.14.44-1ubuntu1
Description: Unified command line interface
 to Amazon Web Services

Package: python3-boto
Status: deinstall ok config-files
Version: 2.49.0-2

Package: ruby-aws-sdk-core
Status: install ok half-configured
Version: 3.78.0-1
"""


@pytest.mark.parametrize(
    ("where", "content", "name", "version"),
    [
        ("usr/lib/python3/dist-packages/botocore-1.12.103.egg-info/PKG-INFO", "x", "botocore",
         "1.12.103"),
        ("venv/lib/python3.8/site-packages/boto-2.49.0.dist-info/METADATA", "x", "boto", "2.49.0"),
        ("usr/lib/python2.7/site-packages/boto-2.48.0-py2.7.egg-info", "x", "boto", "2.48.0"),
        ("a/site-packages/ec2_metadata-1.8.0.dist-info/METADATA", "x", "ec2_metadata", "1.8.0"),
        ("a/botocore-1.12.1-py3.6.egg/EGG-INFO/PKG-INFO", "x", "botocore", "1.12.1"),
        ("src/botocore.egg-info/PKG-INFO",
         "Metadata-Version: 1\nName: botocore\nVersion: 1.9\n\nText", "botocore", "1.9"),
        ("usr/lib/google/third_party/botocore/__init__.py", "x = 1\n__version__ = '1.12.0'\n",
         "botocore", "1.12.0"),
        ("app/node_modules/aws-sdk/package.json", NODE, "aws-sdk", "2.500.0"),
        ("app/node_modules/x/node_modules/aws-sdk/package.json", NODE, "aws-sdk", "2.500.0"),
        ("app/node_modules/@aws-sdk/credential-provider-imds/package.json",
         '{"name": "@aws-sdk/credential-provider-imds", "version": "1.0.0-gamma.1"}',
         "@aws-sdk/credential-provider-imds", "1.0.0-gamma.1"),
        ("usr/share/gems/specifications/aws-sdk-core-2.11.300.gemspec", "", "aws-sdk-core",
         "2.11.300"),
        ("vendor/bundle/ruby/2.7.0/specifications/specinfra-2.80.1-x86_64-linux.gemspec", "",
         "specinfra", "2.80.1"),
        ("srv/vendor/composer/installed.json",
         '[{"name": "aws/aws-sdk-php", "version": "3.112.0"}]', "aws/aws-sdk-php", "3.112.0"),
        ("srv/vendor/composer/installed.json",
         '{"packages": [{"name": "aws/aws-sdk-php", "version": "v3.112.0"}]}',
         "aws/aws-sdk-php", "v3.112.0"),
        ("app/app.deps.json",
         '\ufeff{"libraries": {"AWSSDK.Core/3.3.100.5": {"type": "package"}, "app/1.0.0": {}}}',
         "AWSSDK.Core", "3.3.100.5"),
        ("opt/Modules/AWSPowerShell.NetCore/3.3.500.0/AWSPowerShell.NetCore.psd1",
         "@{\n  ModuleVersion = '3.3.500.0'\n}", "AWSPowerShell.NetCore", "3.3.500.0"),
        ("lib/apk/db/installed", "C:Q1x=\nP:musl\nV:1.2.3-r4\n\nP:aws-cli\nV:1.16.100-r0\nA:x\n",
         "aws-cli", "1.16.100-r0"),
        ("var/lib/dpkg/status.d/awscli", "Package: awscli\nVersion: 1.11.13-1\n", "awscli",
         "1.11.13-1"),
        ("snap/amazon-ssm-agent/1/meta/snap.yaml", "name: amazon-ssm-agent\nversion: 2.3.672.0\n",
         "amazon-ssm-agent", "2.3.672.0"),
    ],
)  # fmt: skip
def test_what_is_too_old_is_found(
    where: str, content: str, name: str, version: str, tmp_path: Path
) -> None:
    put(tmp_path, where, content)
    answer = look(tmp_path)
    assert found(answer) == {name: {version}}
    assert answer["findings"][0]["where"].partition("!/")[0] == f"/{where}"
    assert answer["complete"]


def test_the_sdk_for_cpp_is_told_by_its_symbols(tmp_path: Path) -> None:
    client = b"_ZNK3Aws8Internal17EC2MetadataClient21GetDefaultCredentialsEv\0"
    securely = b"_ZNK3Aws8Internal17EC2MetadataClient29GetDefaultCredentialsSecurelyEv\0"
    put(tmp_path, "old/libaws-cpp-sdk-core.so", b"\x7fELF" + client)
    put(tmp_path, "new/libaws-cpp-sdk-core.so", b"\x7fELF" + client + securely)
    row = only(look(tmp_path))
    assert (row["where"], row["confidence"]) == ("/old/libaws-cpp-sdk-core.so", "medium")


def test_dpkg_counts_what_has_its_files_in_place(tmp_path: Path) -> None:
    put(tmp_path, "var/lib/dpkg/status", DPKG)
    assert found(look(tmp_path)) == {
        "awscli": {"1.14.44-1ubuntu1"},
        "ruby-aws-sdk-core": {"3.78.0-1"},
    }


@pytest.mark.parametrize(
    ("where", "content"),
    [
        ("home/status", DPKG),
        ("app/aws-sdk/package.json", '{"name": "not-aws-sdk", "version": "2.1.0"}'),
        ("src/aws-sdk-core-3.78.0.gemspec", ""),
        ("data/installed.json", '[{"name": "aws/aws-sdk-php", "version": "3.1.0"}]'),
        ("site-packages/botocore_stubs-1.12.0.dist-info/METADATA", "x"),
        ("site-packages/botocore/__init__.py", "__version__ = __import__('x').y"),
    ],
)
def test_what_only_looks_like_it_is_not(where: str, content: str, tmp_path: Path) -> None:
    put(tmp_path, where, content)
    answer = look(tmp_path)
    assert answer["findings"] == []
    assert answer["complete"]


def test_an_installed_botocore_is_found_once_and_not_as_a_copy(tmp_path: Path) -> None:
    put(tmp_path, "s/botocore-1.12.0.dist-info/METADATA", "x")
    put(tmp_path, "s/botocore/__init__.py", "__version__ = '1.12.0'")
    assert only(look(tmp_path))["how"] == "Python distribution"


def test_a_copy_is_less_sure_for_it_may_have_been_changed(tmp_path: Path) -> None:
    put(tmp_path, "s/botocore/__init__.py", "__version__ = '1.12.0'")
    assert only(look(tmp_path))["confidence"] == "medium"


def test_boto3_and_the_cli_speak_through_the_botocore_beside_them(tmp_path: Path) -> None:
    put(tmp_path, "a/boto3-1.9.0.dist-info/METADATA", "x")
    put(tmp_path, "a/awscli-1.16.0.dist-info/METADATA", "x")
    assert set(found(look(tmp_path))) == {"boto3", "awscli"}
    put(tmp_path, "a/botocore-1.12.0.dist-info/METADATA", "x")
    assert set(found(look(tmp_path))) == {"botocore"}
    # One in another place says nothing of this one.
    put(tmp_path, "b/boto3-1.9.0.dist-info/METADATA", "x")
    assert set(found(look(tmp_path))) == {"botocore", "boto3"}


@pytest.mark.parametrize(
    ("where", "content", "why"),
    [
        ("a/node_modules/aws-sdk/package.json", "{", "not readable as JSON"),
        (
            "a/node_modules/aws-sdk/package.json",
            json.dumps({"name": "aws-sdk"}),
            "cannot be compared",
        ),
        ("a/vendor/composer/installed.json", "[" * 100_000, "not readable as JSON"),
        ("a/botocore-unknown.dist-info/METADATA", "x", "'unknown' cannot be compared"),
        (
            "var/lib/dpkg/status",
            "Package: awscli\nStatus: install ok installed\n",
            "cannot be compared",
        ),
    ],
)
def test_what_cannot_be_told_is_said_and_never_passed_over(
    where: str, content: str, why: str, tmp_path: Path
) -> None:
    put(tmp_path, where, content)
    answer = look(tmp_path)
    (missed,) = answer["not_read"]
    assert missed["where"] == f"/{where}"
    assert why in missed["why"]
    assert not answer["complete"]


@pytest.mark.parametrize(
    ("where", "layer"),
    [
        (f"var/lib/docker/overlay2/{'0123456789abcdef' * 4}/diff",
         "docker layer 0123456789abcdef01234567"),
        ("var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/42/fs",
         "containerd layer 42"),
        ("var/lib/containers/storage/overlay/0123456789abcd/diff", "podman layer 0123456789abcd"),
        ("opt", None),
    ],
)  # fmt: skip
def test_the_layer_of_a_container_is_named(where: str, layer: str | None, tmp_path: Path) -> None:
    put(tmp_path, f"{where}/x/boto-2.49.0.dist-info/METADATA", "x")
    assert only(look(tmp_path))["layer"] == layer
