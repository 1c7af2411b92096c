"""Metrics, and the alerts that they lead to."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from monitoring.configuration import alert_names
from settings.models.base import Model

_DURATION = r"^[1-9][0-9]*(s|m|h|d|w)$"


class Monitoring(Model):
    """Which metrics are kept, where, for how long, and who can read them."""

    host: str | None = None
    """Name of the host with Prometheus and the databases.

    By default the host that has this data already, else the first manager.
    """
    scrape_interval: Annotated[int, Field(ge=5, le=60)] = 15
    """Seconds between two scrapes of each task and node."""
    retention: str = "30d"
    """How long both InfluxDBs keep their data."""
    publish: frozenset[Literal["influxdb", "prometheus", "alertmanager", "grafana", "edge"]] = frozenset()
    """What can be reached from outside, at every host: the InfluxDBs by their own users, the others by the operator.

    `edge` is the statistics of each host's HAProxy.
    """
    grafana: bool = True

    @field_validator("retention")
    @classmethod
    def _long_enough(cls, retention: str) -> str:
        if not re.fullmatch(r"[1-9][0-9]*(h|d|w)", retention):
            raise ValueError("must be one hour or more: a number followed by h, d or w, such as 30d")
        return retention


class Alerting(Model):
    """Who receives alerts, and how long each must hold before it fires (`for`: alert -> duration)."""

    receiver: Literal["none", "webhook", "email"] = "none"
    webhook_url: SecretStr = SecretStr("")
    email_to: str = ""
    email_from: str = ""
    smtp_host: str = ""
    smtp_user: str = ""
    smtp_password: SecretStr = SecretStr("")
    heartbeat_url: SecretStr = SecretStr("")
    for_: Annotated[Mapping[str, str], Field(alias="for")] = Field(default_factory=dict)

    @field_validator("for_")
    @classmethod
    def _known_and_timed(cls, durations: Mapping[str, str]) -> Mapping[str, str]:
        for name, duration in durations.items():
            if name not in alert_names():
                raise ValueError(f'no alert is named "{name}": use one of {", ".join(alert_names())}')
            if not re.fullmatch(_DURATION, duration):
                raise ValueError(f'{name}: "{duration}" is not a duration: write a number followed by s, m, h, d or w')
        return durations

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        needed = {"none": (), "webhook": ("webhook_url",), "email": ("email_to", "email_from", "smtp_host")}
        for field in needed[self.receiver]:
            if not getattr(self, field):
                raise ValueError(f"receiver {self.receiver} needs {field}: set it, or choose another receiver")
        for field in ("webhook_url", "heartbeat_url"):
            url = getattr(self, field).get_secret_value()
            if url and not re.match(r"https?://[^/\s]+", url):
                raise ValueError(f"{field} is not an http or https address: correct it")
        if self.smtp_host and not re.fullmatch(r"[^\s:]+:\d+", self.smtp_host):
            raise ValueError(f'smtp_host "{self.smtp_host}" is not of the form HOST:PORT: correct it')
        return self
