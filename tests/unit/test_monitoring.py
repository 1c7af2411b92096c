"""The monitoring services in the program: their networks, published ports, settings and files."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from recorder import PASSWORDS, Recorder

from components import container_api, file_service
from monitoring.dashboards import dashboards, queries

Run = Callable[..., Recorder]


def mounts(service: dict[str, Any], kind: str) -> dict[str, str]:
    listed = service["taskSpec"]["containerSpec"].get("mounts", [])
    return {mount["source"]: mount["target"] for mount in listed if mount["type"] == kind}


def networks(service: dict[str, Any]) -> set[str]:
    return {network["id"] for network in service["taskSpec"]["networksAdvanceds"]}


def published(service: dict[str, Any]) -> dict[int, int]:
    return {port["publishedPort"]: port["targetPort"] for port in service["endpointSpec"].get("ports", [])}


def delivered(recorder: Recorder) -> dict[str, str]:
    """Return the files that are delivered to Prometheus, by path."""
    files: dict[str, str] = {}
    path = ""
    for line in recorder.commands()["prometheus-files"]["stdin"].splitlines():
        if line.startswith("==> "):
            path = line.split()[1]
            files[path] = ""
        else:
            files[path] += f"{line}\n"
    return files


def test_exporters_run_on_every_node_and_publish_nothing(run_once: Run, values: dict[str, Any]) -> None:
    services = run_once(values).services()

    for name in ("node-exporter", "cadvisor"):
        assert services[name]["mode"] == {"global": True}
        assert services[name]["taskSpec"]["placement"]["constraints"] == ["node.platform.os==linux"]
        assert published(services[name]) == {}
        assert networks(services[name]) == {"metrics-net-id"}


def test_what_cadvisor_mounts_and_asks_is_on_every_host(run_once: Run, values: dict[str, Any]) -> None:
    recorder = run_once(values)
    cadvisor = recorder.services()["cadvisor"]

    folder = next(source for source in mounts(cadvisor, "bind") if source.startswith("/var/lib/docker"))
    for host in ("master", "slave"):
        command = recorder.commands()[f"cadvisor-folder-on-{host}"]
        assert f"\nFOLDER={folder}\n" in f"\n{command['create']}"
        assert f"\nFOLDER={folder}\n" in f"\n{command['delete']}"
    arguments = cadvisor["taskSpec"]["containerSpec"]["commands"]
    shell = next(script for script in arguments if 'exec "$0"' in script)
    for option, socket in (
        ("-docker=unix://", container_api.SOCKET),
        ("-containerd=", container_api.FILTERED_CONTAINERD),
    ):
        assert f"until [ -S {socket} ]; do" in shell
        assert f"{option}{socket}" in arguments
        assert f"bind {socket} mode 600" in recorder.config("container-api-config")


def test_only_prometheus_shares_a_network_with_the_docker_apis(run_once: Run, values: dict[str, Any]) -> None:
    recorder = run_once(values)

    assert {name for name, s in recorder.services().items() if "api-net-id" in networks(s)} == {
        "container-api",
        "docker-api",
        "prometheus",
    }
    assert networks(recorder.services()["container-api"]) == {"api-net-id"}
    assert networks(recorder.services()["docker-api"]) == {"api-net-id"}
    assert recorder.of_type("docker:index/network:Network")["api-net"]["internal"] is True


def test_each_database_has_its_own_volume_and_is_published_only_if_set(run_once: Run, values: dict[str, Any]) -> None:
    unpublished = run_once(values).services()
    assert published(unpublished["edge"]).keys() == {5001}
    services = run_once({**values, "monitoring": {"publish": ["influxdb"]}}).services()

    assert published(services["edge"]) == {5001: 5001, 8086: 8086, 8087: 8087}
    volumes = [mounts(services[f"influxdb-{name}"], "volume") for name in ("vms", "containers")]
    assert volumes == [{"influxdb-vms": "/var/lib/influxdb"}, {"influxdb-containers": "/var/lib/influxdb"}]
    assert {name for name, service in services.items() if published(service)} == {"edge"}


def test_the_edge_publishes_consoles_for_the_operator_only(run_once: Run, values: dict[str, Any]) -> None:
    recorder = run_once({**values, "monitoring": {"publish": ["prometheus", "alertmanager", "grafana", "edge"]}})
    config = recorder.config("edge-config")

    assert published(recorder.services()["edge"]).keys() == {5001, 9090, 9093, 3000, 8405}
    for port, target in ((9090, "prometheus:9090"), (9093, "alertmanager:9093"), (3000, "grafana:3000")):
        section = config[config.index(f"listen console-{port}") :]
        assert section.index("auth realm operator unless { http_auth(operators) }") < section.index(target)
    public, _, statistics = config.partition("frontend statistics\n  bind :8405\n")
    assert "stats" not in public
    assert statistics.index("auth realm operator unless { http_auth(operators) }") < statistics.index("stats enable")
    for name in ("prometheus", "alertmanager", "grafana"):
        assert published(recorder.services()[name]) == {}


def test_prometheus_scrapes_the_file_service_at_the_port_that_the_edge_does_not_route(
    run_once: Run, values: dict[str, Any]
) -> None:
    jobs = yaml.safe_load(delivered(run_once(values))["prometheus.yml"])["scrape_configs"]
    (job,) = [job for job in jobs if job["job_name"] == "file-service"]

    assert f"$1:{file_service.STATUS_PORT}" in [rule.get("replacement") for rule in job["relabel_configs"]]


def test_the_settings_and_passwords_reach_the_databases(run_once: Run, values: dict[str, Any]) -> None:
    recorder = run_once({**values, "monitoring": {"retention": "52w"}})

    for name in ("vms", "containers"):
        environment = recorder.environment(f"influxdb-{name}")
        assert environment["START_DATABASE"] == name
        assert environment["START_RETENTION"] == "52w"
        assert recorder.secret(f"influxdb-{name}-writer") == PASSWORDS["influxdb_writer_password"]
        assert recorder.secret(f"influxdb-{name}-reader") == PASSWORDS["influxdb_reader_password"]
    assert recorder.secret("prometheus-influxdb-writer") == PASSWORDS["influxdb_writer_password"]


def test_a_changed_rule_does_not_change_any_service(run_once: Run, values: dict[str, Any]) -> None:
    before = run_once(values).services()
    after = run_once({**values, "alerting": {"for": {"NodeMissing": "7s"}}})

    assert after.services() == before
    assert "for: 7s" in delivered(after)["alerts/nodes.yml"]


def test_prometheus_has_the_expected_numbers_of_nodes_and_tasks(run_once: Run, values: dict[str, Any]) -> None:
    recorder = run_once({**values, "file_service": {"replicas": 5}})
    (group,) = yaml.safe_load(delivered(recorder)["rules/expected.yml"])["groups"]

    expected = {(r["record"], *r["labels"].values()): r["expr"] for r in group["rules"]}
    for name, service in recorder.services().items():
        mode = service["mode"]
        replicas = int(mode["replicated"]["replicas"]) if "replicated" in mode else 2
        managers_only = "node.role==manager" in service["taskSpec"]["placement"]["constraints"]
        assert expected["swarm:service_tasks_expected", name] == f"vector({1 if managers_only else replicas})"
    assert {key[1] for key in expected if key[0] == "swarm:node_expected"} == {"master", "slave"}


@pytest.mark.parametrize(
    ("alerting", "expected"),
    [
        ({}, {"name": "people"}),
        (
            {"receiver": "webhook", "webhook_url": "https://alerts.example/x?token=1"},
            {"name": "people", "webhook_configs": [{"url": "https://alerts.example/x?token=1"}]},
        ),
        (
            {
                "receiver": "email",
                "email_to": "ops@example.org",
                "email_from": "cluster@example.org",
                "smtp_host": "mail.example.org:587",
                "smtp_user": "cluster",
                "smtp_password": "p",
            },
            {
                "name": "people",
                "email_configs": [
                    {
                        "to": "ops@example.org",
                        "from": "cluster@example.org",
                        "smarthost": "mail.example.org:587",
                        "auth_username": "cluster",
                        "auth_password": "p",
                    }
                ],
            },
        ),
    ],
    ids=["none", "webhook", "email"],
)
def test_alerts_go_to_the_receiver_in_the_settings(
    run_once: Run, values: dict[str, Any], alerting: dict[str, str], expected: dict[str, Any]
) -> None:
    recorder = run_once({**values, "alerting": alerting}, secrets=(*PASSWORDS, "alerting"))
    config = yaml.safe_load(recorder.secret("alertmanager-config"))

    assert config["receivers"][0] == expected
    assert config["receivers"][1] == {"name": "heartbeat"}


def test_the_dead_mans_switch_calls_the_heartbeat_url_every_minute(run_once: Run, values: dict[str, Any]) -> None:
    alerting = {"heartbeat_url": "https://beat.example/1"}
    recorder = run_once({**values, "alerting": alerting}, secrets=(*PASSWORDS, "alerting"))
    config = yaml.safe_load(recorder.secret("alertmanager-config"))

    assert config["receivers"][1]["webhook_configs"][0]["url"] == "https://beat.example/1"
    (route,) = config["route"]["routes"]
    assert route["matchers"] == ['alertname="DeadMansSwitch"']
    interval, repeat = (int(route[key].removesuffix("s")) for key in ("group_interval", "repeat_interval"))
    assert -(-repeat // interval) * interval == 60, "it is sent at the first interval at which a repeat is due"


def test_grafana_can_be_switched_off(run_once: Run, values: dict[str, Any]) -> None:
    recorder = run_once({**values, "monitoring": {"grafana": False}})

    assert not [r.name for r in recorder.resources if r.name.startswith("grafana")]


def test_the_dashboards_have_their_data_sources_at_services_that_run(run_once: Run, values: dict[str, Any]) -> None:
    recorder = run_once(values)
    sources = yaml.safe_load(recorder.config("grafana-sources"))["datasources"]

    used = {source for dashboard in dashboards().values() for source, _ in queries(dashboard)}
    assert {source["uid"] for source in sources} == used
    for source in sources:
        assert urlsplit(source["url"]).hostname in recorder.services()
