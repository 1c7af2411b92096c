"""Alertmanager's configuration file, rendered from the settings."""

from dataclasses import dataclass
from typing import Any, Literal

import yaml

HEARTBEAT_ALERT = "DeadMansSwitch"
"""It always fires: whoever gets it notices when it stops coming."""


@dataclass(frozen=True, kw_only=True)
class Receiver:
    """Where alerts go: nowhere, to a URL by POST, or to an address by SMTP (`smtp_host` is HOST:PORT, with TLS).

    `heartbeat_url` gets a POST every minute for as long as monitoring is alive; empty: none is sent.
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
    """The file's text. Alerts are grouped by name and node, and repeated every four hours while they last."""
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
                    # What was sent is looked at every group_interval: every minute takes a repeat of less than one.
                    "group_interval": "20s",
                    "repeat_interval": "50s",
                }
            ],
        },
        # What follows from another alert tells nothing more.
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
