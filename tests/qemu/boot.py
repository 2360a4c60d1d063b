"""Boots Debian's kernels under qemu and runs the host trace's test on each; exit 1 if one fails.

    boot.py [RELEASE…]     bullseye (Linux 5.10) and bookworm (6.1) where none is given

Needs qemu-system-x86_64, busybox (static), a C compiler, and apt for the kernels, which are kept
in `.kernels`. Nothing is installed. The machine is emulated (TCG), so no figure is a measurement.
"""

import gzip
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / ".kernels"
HERE = Path(__file__).parent
RELEASES = {"bullseye": "5.10", "bookworm": "6.1"}
MODULES = ("inet_diag", "tcp_diag", "af_packet")
APPLETS = ("sh", "ip", "insmod", "mkdir", "mount", "poweroff")
LEFT_OUT = {"test", "site-packages", "idlelib", "lib2to3", "tkinter", "ensurepip", "turtledemo",
            "pydoc_data", "__pycache__", "distutils"}  # fmt: skip
SECONDS = 900


def mirror() -> str:
    """Where this machine's apt gets Debian from."""
    words = ["apt-get", "indextargets", "--format", "$(REPO_URI)"]
    words += ["Created-By: Packages", "Component: main"]
    listed = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
    found = [uri for uri in listed if uri.rstrip("/").endswith("/debian")]
    return found[0] if found else sys.exit("apt knows no source of Debian here, for its kernels")


def kernel_package(release: str) -> Path:
    """The newest kernel for clouds of a Debian release, unpacked."""
    folder = KEPT / release
    if not any(folder.glob("unpacked/boot/vmlinuz-*")):
        shutil.rmtree(folder, ignore_errors=True)
        for one in ("lists/partial", "cache/archives/partial", "unpacked"):
            (folder / one).mkdir(parents=True)
        source = folder / "sources.list"
        keys = "/usr/share/keyrings/debian-archive-keyring.gpg"
        text = f"deb [signed-by={keys}] {mirror()} {release} main\n"
        source.write_text(text)
        options = ["-o", f"Dir::Etc::sourcelist={source}", "-o", "Dir::Etc::sourceparts=-",
                   "-o", f"Dir::State::lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache",
                   "-o", "APT::Sandbox::User=root", "-qq"]  # fmt: skip
        subprocess.run(["apt-get", *options, "update"], check=True)
        pattern = rf"^linux-image-{RELEASES[release]}[0-9.]*-[0-9]+-cloud-amd64$"
        listed = subprocess.run(
            ["apt-cache", *options, "search", "--names-only", pattern],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        names = [line.split(" ")[0] for line in listed.stdout.splitlines()]
        newest = max(names, key=lambda name: [int(n) for n in re.findall(r"\d+", name)])
        subprocess.run(["apt-get", *options, "download", newest], check=True, cwd=folder)
        (package,) = folder.glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", package, folder / "unpacked"], check=True)
    return folder / "unpacked"


def put(root: Path, source: Path) -> None:
    """A file at its own place below another root, with what it links to."""
    target = root / str(source).lstrip("/")
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source.resolve(), target)


def put_program(root: Path, program: Path) -> None:
    """A program with its libraries."""
    put(root, program)
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    for found in re.findall(r"(/\S+) \(0x", listed):
        put(root, Path(found))


def file_system(root: Path, kernel: Path) -> None:
    """Busybox, this Python with its library, our sources, the test."""
    (root / "bin").mkdir(parents=True)
    busybox = shutil.which("busybox")
    if busybox is None:
        sys.exit("no busybox here: apt-get install busybox-static")
    shutil.copy2(busybox, root / "bin/busybox")
    for applet in APPLETS:
        (root / "bin" / applet).symlink_to("busybox")
    python = Path(sys.executable).resolve()
    put_program(root, python)
    library = Path(sysconfig.get_path("stdlib"))
    for folder, inside, files in os.walk(library):
        inside[:] = [one for one in inside if one not in LEFT_OUT and "config-" not in one]
        for name in files:
            put(root, Path(folder, name))
            if name.endswith(".so"):
                put_program(root, Path(folder, name))
    test = root / "test"
    test.mkdir()
    subprocess.run([sys.executable, ROOT / "packaging/build_host.py", test / "imdsctl-host.pyz"],
                   check=True, stdout=subprocess.DEVNULL)  # fmt: skip
    import h11  # noqa: PLC0415 - the emulator's, found wherever it is installed

    for package in (ROOT / "src/imdsctl", Path(h11.__file__).parent):
        shutil.copytree(package, test / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(HERE / "inside.py", test)
    shutil.copy2(ROOT / "tests/host_trace/calls.py", test)
    compiler = shutil.which("gcc") or shutil.which("clang") or "cc"
    source = ROOT / "tests/host_trace/imds_c.c"
    subprocess.run([compiler, "-O1", "-static", "-o", test / "imds_c", source], check=True)
    (test / "modules").mkdir()
    for number, name in enumerate(MODULES):
        for found in kernel.glob(f"lib/modules/**/{name}.ko"):
            shutil.copy2(found, test / "modules" / f"{number}{name}.ko")
    init = root / "init"
    init.write_text(
        "#!/bin/sh\nmkdir -p /dev && mount -t devtmpfs dev /dev\n"
        f"PYTHONPATH=/test exec {python} -S -B /test/inside.py\n"
    )
    init.chmod(init.stat().st_mode | stat.S_IXUSR)


def boot(release: str, folder: Path) -> dict[str, Any]:
    """What the machine said."""
    kernel = kernel_package(release)
    (image,) = kernel.glob("boot/vmlinuz-*")
    file_system(folder / "root", kernel)
    pack = "find . -print0 | cpio --null -o -H newc --quiet"
    packed = subprocess.run(
        ["sh", "-c", pack], cwd=folder / "root", check=True, capture_output=True
    ).stdout
    initramfs = folder / "initramfs.gz"
    initramfs.write_bytes(gzip.compress(packed, 1))
    machine = subprocess.run(
        ["qemu-system-x86_64", "-kernel", image, "-initrd", initramfs, "-m", "1024", "-smp", "2",
         "-cpu", "max",
         "-append", "console=ttyS0 quiet panic=-1 random.trust_cpu=on",
         "-nographic", "-no-reboot", "-nic", "none"],
        capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    found = re.search(r"^RESULT (\{.*\})\s*$", machine.stdout, re.MULTILINE)
    if found is None:
        return {"error": machine.stdout[-3000:] + machine.stderr[-1000:]}
    result: dict[str, Any] = json.loads(found[1])
    return result


def verdict(result: dict[str, Any]) -> list[str]:
    """What is wrong."""
    if "error" in result:
        return [result["error"]]
    calls, losing, killed = result["calls"], result["losing"], result["killed"]
    checks = {
        "every call is traced": calls["same"] and calls["traced"] == calls["served"] == 231,
        "each is its caller's": calls["right_pid"] == calls["traced"],
        "each program is known": calls["right_exe"] == calls["expected_exe"],
        "nothing was lost": calls["lost"] == 0,
        "losses are counted exactly": losing["sent"] == losing["traced"] + losing["lost"] == 300
        and losing["lost"] > 0
        and losing["code"] == 3,
        "nothing is left in the kernel": killed["before"] == killed["after"] != killed["during"],
    }
    return [what for what, holds in checks.items() if not holds]


def main(releases: list[str]) -> int:
    if shutil.which("qemu-system-x86_64") is None:
        sys.exit("no qemu-system-x86_64 here: apt-get install qemu-system-x86")
    failed = False
    for release in releases or list(RELEASES):
        with tempfile.TemporaryDirectory() as folder:
            result = boot(release, Path(folder))
        wrong = verdict(result)
        failed = failed or bool(wrong)
        said = "; ".join(wrong) or "every call traced and attributed, losses counted, nothing left"
        sys.stdout.write(f"Linux {result.get('kernel', '?')} (Debian {release}): {said}\n")
        sys.stdout.write(f"  {json.dumps(result)}\n" if "error" not in result else "")
        sys.stdout.flush()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
