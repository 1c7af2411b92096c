"""Where images come from."""

from pydantic import SecretStr

from components import images
from settings.models.base import Model


class Images(Model):
    """References of the upstream images; the defaults are those pinned in `components/images.py`."""

    alertmanager: str = images.ALERTMANAGER
    cadvisor: str = images.CADVISOR
    debian: str = images.DEBIAN
    grafana: str = images.GRAFANA
    haproxy: str = images.HAPROXY
    influxdb: str = images.INFLUXDB
    node_exporter: str = images.NODE_EXPORTER
    prometheus: str = images.PROMETHEUS
    python: str = images.PYTHON
    seaweedfs: str = images.SEAWEEDFS


class Registry(Model):
    """Where our own images are pushed after one build; without it, they are built on every host that runs them."""

    address: str
    username: str = ""
    password: SecretStr = SecretStr("")
