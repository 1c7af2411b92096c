"""The load of many more nodes: what real exporters say, served again and again under other nodes' names."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import yaml

from components.commands import deliver_prometheus_files
from lab import demo
from lab.paths import Lab
from monitoring.configuration import delivery

MASTER = "192.168.50.2"
LAB_ADDRESS = "192.168.50.1"
_PROMETHEUS = "$(docker ps -q --filter label=com.docker.swarm.service.name=prometheus)"
_PORTS = {"node-exporter": 9100, "cadvisor": 8080}


@contextmanager
def nodes(lab: Lab, count: int) -> Iterator[None]:
    """Have Prometheus measure so many further nodes; runs where the hosts can be reached."""
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
    """Add jobs for the generated nodes to what Prometheus reads, in the way that the program delivers it."""
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
    script = deliver_prometheus_files(volume="prometheus-config", image=image, owner=65534, service="prometheus")
    demo.ask_host(lab, MASTER, f"printf %s {shlex.quote(delivery(files))} | sh -c {shlex.quote(script)}")


def _handler(expositions: dict[str, bytes]) -> type[BaseHTTPRequestHandler]:
    class Exposition(BaseHTTPRequestHandler):
        """Answers /JOB/NUMBER with the job's exposition."""

        def do_GET(self) -> None:
            """What the worker's exporter said."""
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(expositions[self.path.split("/")[1]])

        def log_message(self, *_: object) -> None:
            """Nothing: there are hundreds a minute."""

    return Exposition
