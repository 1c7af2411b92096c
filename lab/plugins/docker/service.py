"""The resource type docker:index/service:Service."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import requests

from lab.plugins import difference
from lab.plugins.bridged import BridgedType
from lab.plugins.codecs import Duration
from lab.plugins.docker.engine_api import EngineApi, EngineError
from lab.plugins.docker.service_shape import SERVICE
from lab.plugins.resource import Values
from lab.plugins.serve import ProviderError

_ENDED = ("complete", "shutdown", "failed", "rejected", "remove", "orphaned")


class Service(BridgedType):
    """A Swarm service. Like the real provider without `convergeConfig`, it does not wait for tasks."""

    shape = SERVICE

    def __init__(self, engine: EngineApi, logins: Sequence[Mapping[str, str]] = ()) -> None:
        self._engine = engine
        self._logins = logins

    def create(self, inputs: Values, name: str) -> tuple[str, Values]:  # noqa: ARG002 - the name is an input
        """Create the service."""
        identifier = self._engine.call(
            "POST", "/services/create", headers=self._login(inputs), json=SERVICE.to_api(inputs)
        )["ID"]
        service = self._engine.call("GET", f"/services/{identifier}")
        return identifier, self.state_after_change(identifier, _specification(service), inputs, {})

    def read(self, identifier: str, inputs: Values, properties: Values) -> tuple[Values, Values] | None:  # noqa: ARG002
        """Return what the manager has, as inputs and state."""
        service = self._engine.find(f"/services/{identifier}")
        return self.refreshed(identifier, _specification(service), inputs) if service else None

    def update(self, identifier: str, inputs: Values, properties: Values, ignored: Sequence[str]) -> Values:
        """Update the service in place. Properties that the program does not set keep the state's values."""
        version = self._engine.call("GET", f"/services/{identifier}")["Version"]["Index"]
        plan = difference.planned(SERVICE, inputs, properties, ignored)
        self._engine.call(
            "POST",
            f"/services/{identifier}/update",
            params={"version": version},
            headers=self._login(inputs),
            json=SERVICE.to_api(plan),
        )
        service = self._engine.call("GET", f"/services/{identifier}")
        return self.state_after_change(identifier, _specification(service), inputs, properties)

    def delete(self, identifier: str, properties: Values) -> None:
        """Delete the service. With `stopGracePeriod`, wait that long until its containers on this engine are gone."""
        grace = properties["taskSpec"]["containerSpec"].get("stopGracePeriod") or "0s"
        containers = self._containers(properties["name"]) if grace != "0s" else []
        self._engine.call("DELETE", f"/services/{identifier}")
        for container in containers:
            self._await_removal(container, grace)

    def _login(self, inputs: Values) -> dict[str, str]:
        """Return the header with the login to the registry of the service's image; without one, it is empty."""
        image = str(inputs["taskSpec"]["containerSpec"]["image"])
        login = next((each for each in self._logins if image.startswith(f"{each['address']}/")), None)
        body = (
            {
                "username": login["username"],
                "password": login["password"],
                "serveraddress": f"https://{login['address']}",
            }
            if login
            else {}
        )
        return {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(body).encode()).decode()}

    def _containers(self, service: str) -> list[str]:
        filters = f'{{"service": {{"{service}": true}}}}'
        tasks = self._engine.call("GET", "/tasks", params={"filters": filters})
        containers = [
            task["Status"].get("ContainerStatus", {}).get("ContainerID", "")
            for task in tasks
            if task["Status"]["State"] not in _ENDED
        ]
        return [container for container in containers if container]

    def _await_removal(self, container: str, grace: str) -> None:
        seconds = Duration().to_api(grace) / 1e9
        path = f"/containers/{container}/wait?condition=removed"
        try:
            self._engine.call("POST", path, timeout=seconds)
        except TimeoutError:
            raise ProviderError(
                f"error on wait for container with ID '{container}': context deadline exceeded"
            ) from None
        except EngineError as error:
            if error.status != requests.codes.not_found:
                raise


def _specification(service: Mapping[str, Any]) -> dict[str, Any]:
    """Return the specification, with the ports that Swarm chose where none were given."""
    endpoint = service.get("Endpoint", {})
    if not endpoint.get("Spec", {}).get("Mode"):
        return {**service["Spec"]}
    return {**service["Spec"], "EndpointSpec": {"Mode": endpoint["Spec"]["Mode"], "Ports": endpoint.get("Ports")}}
