"""The lab's images replace the upstream ones, so they must have the programs that components run at the same paths."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recorder import Recorder

from components import patroni
from lab import engine, local_registry, rootfs
from lab.offline import OfflineLifecycle
from lab.paths import Lab
from settings.models import Images

ROOT = Path(__file__).parent.parent.parent.parent

# Programs that Debian's packages have at the upstream path. For the others, the recipe has a link.
DEBIAN_PROGRAMS = {
    "curl": {"curl"},
    "haproxy": {"haproxy"},
    "bash": {"bash"},
    "influxdb": {"influxd"},
    "influxdb-client": {"influx"},
    "prometheus": {"/bin/prometheus", "promtool"},
    "wget": {"wget"},
}
RECIPE_OF_SERVICE = {
    "alertmanager": rootfs.MONITORING,
    "container-api": rootfs.HAPROXY,
    "docker-api": rootfs.HAPROXY,
    "edge": rootfs.HAPROXY,
    "influxdb-containers": rootfs.MONITORING,
    "influxdb-vms": rootfs.MONITORING,
    "node-exporter": rootfs.NODE_EXPORTER,
    "prometheus": rootfs.MONITORING,
}


def programs(recipe: rootfs.Recipe) -> set[str]:
    of_packages = (DEBIAN_PROGRAMS.get(package, set()) for package in recipe.packages)
    return {"sh"}.union(*of_packages, (path for path, _ in recipe.links))


def test_every_program_that_a_service_runs_is_in_its_image(
    run_once: Callable[..., Recorder], values: dict[str, Any]
) -> None:
    recorder = run_once(values)

    for name, service in recorder.services().items():
        if name in ("files", "grafana", "cadvisor"):  # built with our own Dockerfile; not in the lab; has its own test
            continue
        if name.startswith(("etcd-", "postgres-")):  # built with our own Dockerfile
            continue
        container = service["taskSpec"]["containerSpec"]
        program = container["commands"][1 + len(recorder.environment(name))]  # after `env` and the variables
        needed = {program, container["healthcheck"]["tests"][1]}
        if name.startswith("object-store"):
            assert needed <= {"sh", "weed", "wget"}, "what lab/seaweedfs.py puts into its image"
            continue
        assert needed <= programs(RECIPE_OF_SERVICE[name]), name


def test_the_debian_image_has_every_package_that_the_dockerfiles_on_it_install() -> None:
    installed: set[str] = set()
    for dockerfile in (ROOT / "services").glob("*/Dockerfile"):
        if "FROM ${DEBIAN_IMAGE}" in dockerfile.read_text():
            (packages,) = re.findall(
                r"install --yes --no-install-recommends \\\n(.*?)\\\n", dockerfile.read_text(), re.DOTALL
            )
            installed |= set(packages.replace("${POSTGRES_MAJOR}", str(patroni.MAJOR)).split())

    assert {"nftables", "patroni"} <= installed == set(rootfs.DEBIAN.packages)


def test_links_lead_to_programs_of_debian_packages() -> None:
    assert rootfs.MONITORING.links == (("/bin/alertmanager", "/usr/bin/prometheus-alertmanager"),)
    assert rootfs.NODE_EXPORTER.links == (("/bin/node_exporter", "/usr/bin/prometheus-node-exporter"),)


def test_the_lab_serves_every_image_except_grafana(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "sweep_orphans", lambda: None)
    monkeypatch.setattr(engine, "start", lambda _: None)
    monkeypatch.setattr(local_registry, "start", lambda _: None)
    monkeypatch.setattr(local_registry, "publish", lambda _, recipe: recipe.name)

    served = OfflineLifecycle(Lab(name="demo", checkout=ROOT)).serve_images()

    assert set(served) == set(Images.model_fields) - {"grafana"}
    assert served["haproxy"] == "haproxy"
