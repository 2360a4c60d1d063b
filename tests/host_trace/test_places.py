"""From a cgroup's path to unit, container and pod; names from the runtimes' files."""

import json
from pathlib import Path

import pytest

from imdsctl.host.trace.places import Place, path_in, place_of

ID = "0123456789abcdef" * 4
OTHER = "fedcba9876543210" * 4
UID = "3f2b1c4d-1111-2222-3333-444455556666"


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/", Place()),
        ("/system.slice/nginx.service", Place(unit="nginx.service")),
        ("/system.slice/system-app.slice/app@1.service", Place(unit="app@1.service")),
        (r"/system.slice/my\x2dapp.service", Place(unit="my-app.service")),
        ("/user.slice/user-1000.slice/session-3.scope", Place(unit="session-3.scope")),
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/sync.service",
            Place(unit="sync.service"),
        ),
        (f"/docker/{ID}", Place(container=ID)),
        (f"/system.slice/docker-{ID}.scope", Place(container=ID)),
        (f"/system.slice/docker-{ID}.scope/init.scope", Place(container=ID)),
        (f"/machine.slice/libpod-{ID}.scope/container", Place(container=ID)),
        (f"/docker/{ID}/docker/{OTHER}", Place(container=OTHER)),
        (
            f"/kubepods.slice/kubepods-pod{UID.replace('-', '_')}.slice/cri-containerd-{ID}.scope",
            Place(container=ID, pod=UID),
        ),
        (f"/kubepods/besteffort/pod{UID}/{ID}", Place(container=ID, pod=UID)),
        (
            f"/system.slice/containerd.service/kubepods-pod{UID}.slice:cri-containerd:{ID}",
            Place(container=ID, pod=UID),
        ),
        (f"/ecs/{'a' * 32}/{ID}", Place(container=ID)),
        (f"/ecs/{'a' * 32}/{'a' * 32}-123456", Place(container=f"{'a' * 32}-123456")),
        ("/lxc.payload.web/system.slice", Place(container="web", container_name="web")),
        ("/machine.slice/machine-web.scope", Place(container="web", container_name="web")),
    ],
)
def test_a_path_says_where_a_process_runs(path: str, place: Place, tmp_path: Path) -> None:
    assert place_of(path, tmp_path) == place


@pytest.mark.parametrize(
    ("lines", "path"),
    [
        ("0::/system.slice/a.service\n", "/system.slice/a.service"),
        (f"5:cpu:/docker/{ID}\n1:name=systemd:/docker/{ID}\n0::/\n", f"/docker/{ID}"),
        ("5:cpu:/\n1:name=systemd:/system.slice/a.service\n0::/\n", "/system.slice/a.service"),
        ("", "/"),
    ],
)
def test_with_cgroup_v1_the_hierarchy_that_says_most_counts(lines: str, path: str) -> None:
    assert path_in(lines) == path


def put(path: Path, told: object) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(told))


def test_dockers_names_are_read_and_nothing_of_its_environment(tmp_path: Path) -> None:
    config = {
        "Name": "/web",
        "Config": {
            "Image": "example/web:1",
            "Env": ["PASSWORD=hush"],
            "Labels": {
                "com.amazonaws.ecs.container-name": "api",
                "com.amazonaws.ecs.task-arn": "arn:aws:ecs:eu-west-1:111122223333:task/c/1",
            },
        },
    }
    put(tmp_path / f"var/lib/docker/containers/{ID}/config.v2.json", config)
    found = place_of(f"/docker/{ID}", tmp_path)
    assert found == Place(
        container=ID,
        container_name="api",
        image="example/web:1",
        task="arn:aws:ecs:eu-west-1:111122223333:task/c/1",
    )
    assert "hush" not in repr(found)


def test_a_pods_names_are_read_from_containerd(tmp_path: Path) -> None:
    annotations = {
        "io.kubernetes.cri.sandbox-name": "web-7d4",
        "io.kubernetes.cri.sandbox-namespace": "shop",
        "io.kubernetes.cri.container-name": "app",
        "io.kubernetes.cri.image-name": "example/app:2",
    }
    task = "run/containerd/io.containerd.runtime.v2.task/k8s.io"
    put(tmp_path / f"{task}/{OTHER}/config.json", {"annotations": annotations})
    found = place_of(f"/kubepods/pod{UID}/{OTHER}", tmp_path)
    assert (found.pod, found.container_name, found.image) == (
        "shop/web-7d4",
        "app",
        "example/app:2",
    )


def test_a_podman_containers_name_is_read(tmp_path: Path) -> None:
    listed = [{"id": "x", "names": ["other"]}, {"id": ID, "names": ["web"]}]
    put(tmp_path / "var/lib/containers/storage/overlay-containers/containers.json", listed)
    assert place_of(f"/machine.slice/libpod-{ID}.scope", tmp_path).container_name == "web"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"Config": 3, "Name": 7}', "null"])
def test_a_file_that_says_nothing_leaves_the_id(text: str, tmp_path: Path) -> None:
    config = tmp_path / f"var/lib/docker/containers/{ID}/config.v2.json"
    config.parent.mkdir(parents=True)
    config.write_text(text)
    assert place_of(f"/docker/{ID}", tmp_path) == Place(container=ID)
