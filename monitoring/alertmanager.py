"""Alertmanager's configuration file, rendered from the settings."""

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from settings.models import Alerting  # the settings themselves read this package

HEARTBEAT_ALERT = "DeadMansSwitch"
"""An alert that always fires, so that its receiver notices when monitoring itself is down."""


def configuration(alerting: "Alerting") -> str:
    """Return the text of the file, which contains secrets.

    Alerts are grouped by name and node, and repeated every four hours while they last.
    """
    url = alerting.heartbeat_url.get_secret_value()
    heartbeat = [{"url": url, "send_resolved": False}] if url else []
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
            {"name": "people", **_people(alerting)},
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


def _people(alerting: "Alerting") -> dict[str, Any]:
    match alerting.receiver:
        case "webhook":
            return {"webhook_configs": [{"url": alerting.webhook_url.get_secret_value()}]}
        case "email":
            login = (
                {"auth_username": alerting.smtp_user, "auth_password": alerting.smtp_password.get_secret_value()}
                if alerting.smtp_user
                else {}
            )
            return {
                "email_configs": [
                    {"to": alerting.email_to, "from": alerting.email_from, "smarthost": alerting.smtp_host, **login}
                ]
            }
        case "none":
            return {}
