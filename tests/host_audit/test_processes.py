"""What running processes have loaded."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from host_audit.audited import SOURCE, Answer, archive, is_root, look, pom, put, run, there
from host_audit.managers import NotHereError, build_go


@contextmanager
def running(*words: str | Path, **options: object) -> Iterator[int]:
    """A process that says `ready` and stays."""
    process = subprocess.Popen([str(w) for w in words], stdout=subprocess.PIPE, **options)  # type: ignore[call-overload]
    try:
        assert process.stdout.readline().strip() == b"ready"
        yield process.pid
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def users(answer: Answer, pid: int) -> dict[str, str]:
    """What this process uses, and how sure that is."""
    return {
        row["name"]: use["how"]
        for row in answer["findings"]
        for use in row["running"]
        if use["pid"] == pid
    }


WAITS = "import time, sys; print('ready', flush=True); time.sleep(60)"


def test_a_python_in_a_virtual_environment_uses_what_is_in_it(tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv")
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    put(tmp_path, f"venv/lib/{version}/site-packages/botocore-1.12.0.dist-info/METADATA", "x")
    put(tmp_path, "other/lib/site-packages/boto-2.49.0.dist-info/METADATA", "x")
    with running(tmp_path / "venv/bin/python", "-c", WAITS) as pid:
        answer = look(tmp_path, processes=True)
    assert users(answer, pid) == {"botocore": "likely"}


def test_the_environment_is_read_for_the_known_variables_alone(tmp_path: Path) -> None:
    secret = "MARKED0SECRET0VALUE"
    environment = {
        **os.environ, "AWS_EC2_METADATA_V1_DISABLED": "true", "AWS_SECRET_ACCESS_KEY": secret,
    }  # fmt: skip
    words = (sys.executable, "-c", WAITS, f"--password={secret}")
    with running(*words, env=environment) as pid:
        answer = look(tmp_path, processes=True)
    ours = [one for one in answer["settings"] if one["where"].startswith(f"pid {pid} ")]
    assert [(one["name"], one["value"]) for one in ours] == [
        ("AWS_EC2_METADATA_V1_DISABLED", "true")
    ]
    assert secret not in str(answer)


def test_a_program_that_was_replaced_still_runs_the_old_sdk(tmp_path: Path) -> None:
    try:
        data = build_go(tmp_path / "p", "v1.25.19", old=True, waits=True)
    except NotHereError as error:
        pytest.skip(str(error))
    program = put(tmp_path, "root/usr/bin/agent", data, 0o755)
    with running(program) as pid:
        program.unlink()
        answer = look(tmp_path / "root", processes=True)
    rows = [row for row in answer["findings"] if f"pid {pid} " in row["where"]]
    assert [row["version"] for row in rows] == ["v1.25.19"]
    assert rows[0]["where"].endswith("(deleted)")
    assert "of a running process" in rows[0]["how"]
    assert users(answer, pid) == {"github.com/aws/aws-sdk-go": "loaded"}


JAVA = """
public class Main {
  public static void main(String[] a) throws Exception {
    var jar = new java.util.jar.JarFile(a[0]);
    System.out.println("ready"); System.out.flush(); Thread.sleep(60000); jar.size();
  }
}
"""


def test_a_jvm_still_has_the_jar_that_an_upgrade_deleted(tmp_path: Path) -> None:
    if not there("java", "javac"):
        pytest.skip("no JDK on this machine")
    source = put(tmp_path, "Main.java", JAVA)
    jar = put(tmp_path, "lib/sdk.jar", archive(pom("com.amazonaws", "aws-java-sdk-core", "1.11.1")))
    run("javac", "-d", tmp_path, source)
    with running("java", "-cp", tmp_path, "Main", jar) as pid:
        jar.unlink()
        (tmp_path / "empty").mkdir()
        answer = look(tmp_path / "empty", processes=True)
    assert users(answer, pid) == {"com.amazonaws:aws-java-sdk-core": "loaded"}


def test_a_process_in_a_container_is_looked_at_from_outside(tmp_path: Path) -> None:
    if not is_root() or not there("unshare"):
        pytest.skip("needs root and unshare")
    try:
        data = build_go(tmp_path / "p", "v1.25.19", old=True, waits=True)
    except NotHereError as error:
        pytest.skip(str(error))
    program = put(tmp_path, "image/agent", data, 0o755)
    (tmp_path / "empty").mkdir()
    with running("unshare", "-m", program) as pid:
        answer = look(tmp_path / "empty", processes=True)
    assert users(answer, pid) == {"github.com/aws/aws-sdk-go": "loaded"}


def test_processes_that_may_not_be_looked_at_are_counted(tmp_path: Path) -> None:
    if not is_root() or not there("setpriv"):
        pytest.skip("needs root and setpriv, to become nobody")
    shutil.copytree(SOURCE / "imdsctl", tmp_path / "src/imdsctl")
    for folder in (tmp_path, *tmp_path.parents):
        if folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    script = (
        "from imdsctl.host.audit.processes import look_at_processes\n"
        "print(*[m.why for m in look_at_processes().not_read])"
    )
    words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3"]
    done = run(*words, "-c", script, cwd=tmp_path / "src")
    assert "may not be looked at" in done.stdout


def test_kernel_threads_and_processes_that_end_meanwhile_are_no_trouble(tmp_path: Path) -> None:
    with subprocess.Popen(["sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do sleep 0.05; done"]):
        ends = time.monotonic() + 1
        while time.monotonic() < ends:
            answer = look(tmp_path, processes=True)
    assert answer["summary"]["processes"] > 0
