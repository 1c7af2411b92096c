"""Alerts reach their receiver, and the operator can open the consoles over TLS."""

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest
import requests
from certificates import self_signed
from cluster import Cluster

from monitoring import influxdb_client

LAB_ADDRESS = "192.168.50.1"


def targets(cluster: Cluster, **labels: str) -> int:
    """Return how many targets with these labels Prometheus scrapes."""
    selector = ",".join(f'{key}="{value}"' for key, value in labels.items())
    found = cluster.prometheus(f"count(up{{{selector}}} == 1)")
    return int(found[0]["value"][1]) if found else 0


class Receiver(BaseHTTPRequestHandler):
    """Records what Alertmanager sends."""

    alerts: ClassVar[list[dict[str, Any]]] = []
    beats: ClassVar[list[float]] = []
    """The times when the dead man's switch arrived."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.alerts += body["alerts"]
        if any(alert["labels"]["alertname"] == "DeadMansSwitch" for alert in body["alerts"]):
            self.beats.append(time.monotonic())
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing, to keep the test's output readable."""


@pytest.fixture
def receiver() -> Iterator[str]:
    server = ThreadingHTTPServer((LAB_ADDRESS, 0), Receiver)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://{LAB_ADDRESS}:{server.server_port}/alerts"
    server.shutdown()
    server.server_close()


def test_a_node_without_its_exporter_raises_an_alert_and_the_operator_can_open_consoles_over_tls(
    cluster: Cluster, receiver: str, tmp_path: Path
) -> None:
    def alerted(name: str, **labels: str) -> bool:
        return any(
            alert["labels"]["alertname"] == name and labels.items() <= alert["labels"].items()
            for alert in Receiver.alerts
        )

    def kept(read: influxdb_client.Read, database: str) -> str:
        (policies,) = read(database, f'SHOW RETENTION POLICIES ON "{database}"')
        (duration,) = [row[1] for row in policies.rows if row[0] == "kept"]
        return str(duration)

    certificate = self_signed(addresses=[cluster.address("slave")])
    trusted = tmp_path / "trusted.pem"
    trusted.write_text(certificate.partition("-----BEGIN PRIVATE KEY")[0])
    before = cluster.containers("prometheus")
    with cluster.configured(
        alerting={"receiver": "webhook", "for": {"NodeMissing": "5s"}},
        monitoring={"publish": ["influxdb", "prometheus", "alertmanager"], "retention": "12h"},
    ):
        cluster.set_secret("alerting.webhook_url", receiver)
        cluster.set_secret("alerting.heartbeat_url", receiver)
        cluster.set_secret("edge_certificate", certificate)
        cluster.up()
        assert cluster.containers("prometheus") == before, "rules are reloaded without a restart"

        url = f"https://{cluster.address('slave')}"
        with requests.Session() as session:
            session.trust_env = False  # otherwise the machine's own certificate bundle would be used instead
            session.verify = str(trusted)
            for port in (9090, 9093):
                assert session.get(f"{url}:{port}/-/ready", timeout=30).status_code == 401
                session.auth = ("operator", cluster.operator_password())
                assert session.get(f"{url}:{port}/-/ready", timeout=30).status_code == 200
                session.auth = None
            sent = session.post(f"{url}:5001/upload", files={"file": ("by-tls", b"content")}, timeout=30)
            assert sent.status_code == 201
            assert session.post(f"{url}:5001/download", data={"name": "by-tls"}, timeout=30).content == b"content"
        assert cluster.prometheus("swarm:certificate_not_after:seconds")[0]["metric"]["certificate"] == "edge"
        databases = {"vms": f"{url}:8086", "containers": f"{url}:8087"}
        by_tls = influxdb_client.reader(
            databases, "reader", cluster.secret("influxdb_reader_password"), authority=trusted
        )
        assert {kept(by_tls, database) for database in databases} == {"12h0m0s"}
        cluster.eventually(lambda: alerted("DeadMansSwitch"), seconds=120)
        assert not alerted("NodeMissing")

        elsewhere = "node.labels.swarm-transfer.host!=slave"
        cluster.on("master", f"docker service update --quiet --constraint-add {elsewhere} node-exporter >/dev/null")
        cluster.eventually(lambda: alerted("NodeMissing", node="slave", severity="critical"), seconds=120)
        assert not alerted("NodeMissing", node="master")
        cluster.eventually(lambda: len(Receiver.beats) > 1, seconds=90)
        assert Receiver.beats[1] - Receiver.beats[0] < 90, "every minute"  # and not every other
        runbooks = [a["annotations"]["runbook"] for a in Receiver.alerts if a["labels"]["alertname"] == "NodeMissing"]
        assert "docker node ls" in runbooks[0]
    cluster.up("--refresh")

    assert {kept(cluster.read, database) for database in databases} == {"720h0m0s"}
    cluster.eventually(lambda: targets(cluster, job="node-exporter", node="slave") == 1)
    cluster.pulumi("preview", "--expect-no-changes")
