"""Simulates the load of many more nodes: serves one copy of the real exporters' metrics under many nodes' names."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import yaml

from components import users
from components.commands import deliver_prometheus_files
from components.prometheus import delivery
from lab import demo
from lab.paths import Lab

MASTER = "192.168.50.2"
LAB_ADDRESS = "192.168.50.1"
_PROMETHEUS = "$(docker ps -q --filter label=com.docker.swarm.service.name=prometheus)"
_PORTS = {"node-exporter": 9100, "cadvisor": 8080}


@contextmanager
def nodes(lab: Lab, count: int) -> Iterator[None]:
    """Make Prometheus scrape this many additional nodes. This must run in the lab's network."""
    expositions = {
        job: demo.ask_host(lab, MASTER, f"docker exec {_PROMETHEUS} wget -q -O - http://{job}:{port}/metrics").encode()
        for job, port in _PORTS.items()
    }
    server = ThreadingHTTPServer((LAB_ADDRESS, 0), _handler(expositions))
    Thread(target=server.serve_forever, daemon=True).start()
    _reconfigure(lab, f"{LAB_ADDRESS}:{server.server_port}", count)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def _reconfigure(lab: Lab, address: str, count: int) -> None:
    """Add scrape jobs for the generated nodes to Prometheus's files, and deliver these as the program does."""
    folder = "/etc/prometheus/live"
    names = demo.ask_host(lab, MASTER, f"docker exec {_PROMETHEUS} sh -c 'cd {folder} && find . -type f'").split()
    files = {
        name.removeprefix("./"): demo.ask_host(lab, MASTER, f"docker exec {_PROMETHEUS} cat {folder}/{name}")
        for name in names
    }
    config: dict[str, Any] = yaml.safe_load(files["prometheus.yml"])
    real = {job["job_name"]: job for job in config["scrape_configs"]}
    for job in _PORTS:
        config["scrape_configs"].append(
            {
                "job_name": f"generated-{job}",
                "static_configs": [
                    {
                        "targets": [address],
                        "labels": {
                            "__metrics_path__": f"/{job}/{number}",
                            "job": job,
                            "node": f"generated-{number}",
                            "instance": f"generated-{number}",
                        },
                    }
                    for number in range(count)
                ],
                "metric_relabel_configs": real[job].get("metric_relabel_configs", []),
                "honor_timestamps": False,
            }
        )
    files["prometheus.yml"] = yaml.safe_dump(config)
    inspect = "docker service inspect prometheus --format '{{.Spec.TaskTemplate.ContainerSpec.Image}}'"
    image = demo.ask_host(lab, MASTER, inspect).strip()
    script = deliver_prometheus_files(
        volume="prometheus-config", image=image, owner=users.PROMETHEUS, service="prometheus"
    )
    demo.ask_host(lab, MASTER, f"printf %s {shlex.quote(delivery(files))} | sh -c {shlex.quote(script)}")


def _handler(expositions: dict[str, bytes]) -> type[BaseHTTPRequestHandler]:
    class Exposition(BaseHTTPRequestHandler):
        """Answers /JOB/NUMBER with the job's metrics."""

        def do_GET(self) -> None:
            """Send the metrics that were read from the real exporter."""
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(expositions[self.path.split("/")[1]])

        def log_message(self, *_: object) -> None:
            """Log nothing, because there are hundreds of requests a minute."""

    return Exposition
