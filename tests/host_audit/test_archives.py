"""Jars, fat jars, shaded copies, zipapps; and archives that mean harm."""

import time
import zipfile
from pathlib import Path

import pytest

from host_audit.audited import archive, found, look, only, pom, put

CORE = "com.amazonaws:aws-java-sdk-core"
CLIENT = "com/amazonaws/util/EC2MetadataUtils.class"
TOKENS = "com/amazonaws/internal/InstanceMetadataServiceResourceFetcher.class"
INFO = "com/amazonaws/sdk/versionInfo.properties"


def test_a_jar_by_its_pom_properties(tmp_path: Path) -> None:
    put(tmp_path, "lib/x.jar", archive(pom("com.amazonaws", "aws-java-sdk-core", "1.11.563")))
    row = only(look(tmp_path))
    assert (row["name"], row["version"]) == (CORE, "1.11.563")
    assert row["where"].startswith("/lib/x.jar!/META-INF/maven/com.amazonaws/")


def test_a_jar_that_only_its_name_describes(tmp_path: Path) -> None:
    put(tmp_path, "lib/aws-java-sdk-core-1.11.100.jar", archive({"a.class": b"x"}))
    assert found(look(tmp_path)) == {CORE: {"1.11.100"}}


def test_a_jar_called_regions_is_the_sdks_only_with_its_classes(tmp_path: Path) -> None:
    put(tmp_path, "a/regions-2.3.1.jar", archive({"org/example/Regions.class": b"x"}))
    assert look(tmp_path)["findings"] == []
    inside = {"software/amazon/awssdk/regions/Region.class": b"x"}
    put(tmp_path, "b/regions-2.3.1.jar", archive(inside))
    assert found(look(tmp_path)) == {"software.amazon.awssdk:regions": {"2.3.1"}}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_jars_in_a_war_in_an_ear(method: int, tmp_path: Path) -> None:
    jar = archive(pom("software.amazon.awssdk", "regions", "2.10.20"))
    war = archive({"WEB-INF/lib/regions-2.10.20.jar": jar}, method)
    put(tmp_path, "app.ear", archive({"web.war": war}, method))
    row = only(look(tmp_path))
    assert row["where"].startswith("/app.ear!/web.war!/WEB-INF/lib/regions-2.10.20.jar!/")


@pytest.mark.parametrize("prefix", ["", "org/example/shaded/"])
def test_a_shaded_copy_by_its_classes_and_version(prefix: str, tmp_path: Path) -> None:
    entries: dict[str, str | bytes] = {prefix + CLIENT: b"x", prefix + INFO: "version=1.11.1\n"}
    put(tmp_path, "fat.jar", archive(entries))
    row = only(look(tmp_path))
    assert (row["name"], row["version"]) == (CORE, "1.11.1")
    assert ("moved below org/example/shaded/" in row["how"]) == bool(prefix)


def test_a_shaded_copy_without_any_version_is_told_by_the_class_that_came_with_v2(
    tmp_path: Path,
) -> None:
    put(tmp_path, "old.jar", archive({f"x/{CLIENT}": b"x"}))
    put(tmp_path, "new.jar", archive({f"x/{CLIENT}": b"x", f"x/{TOKENS}": b"x"}))
    row = only(look(tmp_path))
    assert row["where"].startswith("/old.jar!/")
    assert (row["version"], row["confidence"]) == (None, "medium")


def test_a_shaded_copy_of_the_sdk_2_by_the_constant_in_its_class(tmp_path: Path) -> None:
    constant = b"\xca\xfe\xba\xbe\0\0\x004\0\x10\x01\x00\x072.10.19\x01\x00\x04Code"
    path = "x/software/amazon/awssdk/core/util/VersionInfo.class"
    put(tmp_path, "fat.jar", archive({path: constant}))
    assert found(look(tmp_path)) == {"software.amazon.awssdk:sdk-core": {"2.10.19"}}


def test_hadoop_is_decided_by_the_sdk_beside_it(tmp_path: Path) -> None:
    put(
        tmp_path, "a/hadoop-aws-3.2.0.jar", archive(pom("org.apache.hadoop", "hadoop-aws", "3.2.0"))
    )
    assert found(look(tmp_path)) == {"org.apache.hadoop:hadoop-aws": {"3.2.0"}}
    bundle = archive(pom("com.amazonaws", "aws-java-sdk-bundle", "1.12.700"))
    put(tmp_path, "a/aws-java-sdk-bundle-1.12.700.jar", bundle)
    assert look(tmp_path)["findings"] == []


def test_zipapps_and_pex_files_with_an_old_botocore(tmp_path: Path) -> None:
    inside: dict[str, str | bytes] = {".deps/b.whl/botocore-1.12.0.dist-info/METADATA": "x"}
    put(tmp_path, "bin/tool.pex", b"#!/usr/bin/env python3\n" + archive(inside))
    assert found(look(tmp_path)) == {"botocore": {"1.12.0"}}


def test_a_wheel_lying_about_is_only_noted(tmp_path: Path) -> None:
    inside: dict[str, str | bytes] = {"botocore-1.12.0.dist-info/METADATA": "x"}
    put(tmp_path, "cache/botocore-1.12.0-py2.py3-none-any.whl", archive(inside))
    answer = look(tmp_path)
    assert answer["findings"] == []
    assert "wheel" in answer["notes"][0]["note"]


def test_a_lambda_folder_with_node_modules_in_a_zip(tmp_path: Path) -> None:
    text = '{"name": "aws-sdk", "version": "2.400.0"}'
    put(tmp_path, "f.zip", archive({"node_modules/aws-sdk/package.json": text}))
    assert found(look(tmp_path)) == {"aws-sdk": {"2.400.0"}}


def test_a_bomb_is_stopped_and_said_and_the_rest_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imdsctl.host.audit.archive.LARGEST_INNER", 1024 * 1024)
    bomb = archive({"zeros": b"\0" * 50 * 1024 * 1024}, zipfile.ZIP_STORED)
    good = archive(pom("com.amazonaws", "aws-java-sdk-core", "1.11.1"))
    put(tmp_path, "x.war", archive({"lib/bomb.jar": bomb, "lib/good.jar": good}))
    started = time.monotonic()
    answer = look(tmp_path)
    assert time.monotonic() - started < 20
    assert found(answer) == {CORE: {"1.11.1"}}
    (missed,) = answer["not_read"]
    assert missed["where"] == "/x.war!/lib/bomb.jar"
    assert "more than 1 MiB" in missed["why"]


def test_no_more_is_unpacked_than_it_takes_to_see_that_it_is_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imdsctl.host.audit.archive.LARGEST_INNER", 1024 * 1024)
    bomb = archive({"zeros": b"\0" * 40 * 1024 * 1024}, zipfile.ZIP_STORED)
    put(tmp_path, "x.war", archive({"lib/bomb.jar": bomb}))
    read = 0
    whole = zipfile.ZipExtFile.read

    def counted(member: zipfile.ZipExtFile, most: int | None = None) -> bytes:
        nonlocal read
        chunk = whole(member, most)
        read += len(chunk)
        return chunk

    monkeypatch.setattr(zipfile.ZipExtFile, "read", counted)
    assert len(look(tmp_path)["not_read"]) == 1
    assert read <= 3 * 1024 * 1024


def test_what_is_unpacked_is_bounded_over_all_inner_archives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imdsctl.host.audit.archive.MOST_UNPACKED", 3 * 1024 * 1024)
    one = archive({"zeros": b"\0" * 1024 * 1024}, zipfile.ZIP_STORED)
    put(tmp_path, "x.war", archive({f"lib/{n}.jar": one for n in range(9)}))
    assert len(look(tmp_path)["not_read"]) == 7


def test_archives_in_archives_end_somewhere(tmp_path: Path) -> None:
    inner = archive({"a": b"x"})
    for _ in range(12):
        inner = archive({"a.jar": inner})
    put(tmp_path, "deep.jar", inner)
    (missed,) = look(tmp_path)["not_read"]
    assert "too deep" in missed["why"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no archive at all", b"PK\x05\x06" * 9])
def test_a_jar_that_is_none_is_named(content: bytes, tmp_path: Path) -> None:
    put(tmp_path, "lib/broken.jar", content)
    answer = look(tmp_path)
    assert [missed["where"] for missed in answer["not_read"]] == ["/lib/broken.jar"]


def test_an_encrypted_inner_jar_is_named(tmp_path: Path) -> None:
    data = bytearray(archive({"lib/secret.jar": archive({"a": b"x"})}))
    central = data.rindex(b"PK\x01\x02")
    data[6] |= 1
    data[central + 8] |= 1
    put(tmp_path, "x.jar", bytes(data))
    (missed,) = look(tmp_path)["not_read"]
    assert missed["where"] == "/x.jar!/lib/secret.jar"
