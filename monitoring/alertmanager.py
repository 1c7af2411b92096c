"""Alertmanager's configuration file."""

from collections.abc import Mapping
from typing import Any

import yaml

HEARTBEAT_ALERT = "DeadMansSwitch"
"""An alert that always fires, so that its receiver notices when monitoring itself is down."""


def configuration(*, receiver: Mapping[str, Any] | None = None, heartbeat_url: str = "") -> str:
    """Return the text of the file, which contains secrets if its arguments do.

    Alerts are grouped by name and node, and repeated every four hours while they last. `receiver` says where they go in
    Alertmanager's own words, such as `{"webhook_configs": [{"url": ...}]}`. `heartbeat_url` gets a POST every minute.
    """
    heartbeat = [{"url": heartbeat_url, "send_resolved": False}] if heartbeat_url else []
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
            {"name": "people", **(receiver or {})},
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
