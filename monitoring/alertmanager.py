"""Alertmanager's configuration file, rendered from the settings."""

from dataclasses import dataclass
from typing import Any, Literal

import yaml

HEARTBEAT_ALERT = "DeadMansSwitch"
"""An alert that always fires, so that its receiver notices when monitoring itself is down."""


@dataclass(frozen=True, kw_only=True)
class Receiver:
    """Where alerts are sent: nowhere, to a URL by POST, or to an e-mail address by SMTP with TLS.

    `smtp_host` is HOST:PORT. `heartbeat_url`, unless empty, gets a POST every minute while monitoring works.
    """

    kind: Literal["none", "webhook", "email"]
    webhook_url: str = ""
    email_to: str = ""
    email_from: str = ""
    smtp_host: str = ""
    smtp_user: str = ""
    smtp_password: str = ""
    heartbeat_url: str = ""


def configuration(receiver: Receiver) -> str:
    """Return the text of the file. Alerts are grouped by name and node, and repeated every four hours."""
    heartbeat = [{"url": receiver.heartbeat_url, "send_resolved": False}] if receiver.heartbeat_url else []
    document = {
        "route": {
            "receiver": "people",
            "group_by": ["alertname", "node"],
            "group_wait": "10s",
            "group_interval": "1m",
            "repeat_interval": "4h",
            "routes": [
                {
                    "matchers": [f'alertname="{HEARTBEAT_ALERT}"'],
                    "receiver": "heartbeat",
                    "group_wait": "0s",
                    # Alertmanager checks for repeats only every group_interval, so for one POST a minute the
                    # repeat_interval must be shorter than a minute.
                    "group_interval": "20s",
                    "repeat_interval": "50s",
                }
            ],
        },
        # These alerts are consequences of others and add no information.
        "inhibit_rules": [
            _inhibit("TargetDown", by="NodeMissing", on="node"),
            _inhibit("TargetDown", by="ServiceBelowReplicas", on="service"),
        ],
        "receivers": [
            {"name": "people", **_people(receiver)},
            {"name": "heartbeat", **({"webhook_configs": heartbeat} if heartbeat else {})},
        ],
    }
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def _inhibit(alert: str, *, by: str, on: str) -> dict[str, Any]:
    return {
        "source_matchers": [f'alertname="{by}"'],
        "target_matchers": [f'alertname="{alert}"', f'{on}!=""'],
        "equal": [on],
    }


def _people(receiver: Receiver) -> dict[str, Any]:
    match receiver.kind:
        case "webhook":
            return {"webhook_configs": [{"url": receiver.webhook_url}]}
        case "email":
            login = (
                {"auth_username": receiver.smtp_user, "auth_password": receiver.smtp_password}
                if receiver.smtp_user
                else {}
            )
            return {
                "email_configs": [
                    {"to": receiver.email_to, "from": receiver.email_from, "smarthost": receiver.smtp_host, **login}
                ]
            }
        case "none":
            return {}
