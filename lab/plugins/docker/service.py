"""docker:index/service:Service."""

import requests

from lab.plugins.docker.engine_api import EngineApi, EngineError
from lab.plugins.docker.service_shape import SERVICE
from lab.plugins.resource import ResourceType, Values
from lab.plugins.serve import ProviderError
from lab.plugins.shape import Duration

_ENDED = ("complete", "shutdown", "failed", "rejected", "remove", "orphaned")


class Service(ResourceType):
    """A Swarm service; creating and updating return at once, as the real ones do without `convergeConfig`."""

    shape = SERVICE
    autonamed = True

    def __init__(self, engine: EngineApi) -> None:
        self._engine = engine

    def check(self, inputs: Values) -> Values:
        """`mode` defaults to one replica, as in the Engine."""
        return {"mode": {"replicated": {"replicas": 1}}, **inputs}

    def create(self, inputs: Values, name: str) -> tuple[str, Values]:  # noqa: ARG002 - the name is an input
        """Create the service."""
        made = self._engine.call("POST", "/services/create", json=SERVICE.to_api(inputs))
        return made["ID"], inputs

    def read(self, identifier: str, inputs: Values, properties: Values) -> tuple[Values, Values] | None:
        """What the manager has, in the program's terms."""
        service = self._engine.find(f"/services/{identifier}")
        if service is None:
            return None
        live = SERVICE.from_api(service["Spec"])
        known = inputs or {key: value for key, value in properties.items() if key in SERVICE.fields}
        seen = SERVICE.seen(known, live)
        return seen, seen

    def update(self, identifier: str, inputs: Values, properties: Values) -> Values:  # noqa: ARG002 - all is in inputs
        """Update the service in place."""
        version = self._engine.call("GET", f"/services/{identifier}")["Version"]["Index"]
        self._engine.call(
            "POST", f"/services/{identifier}/update", params={"version": version}, json=SERVICE.to_api(inputs)
        )
        return inputs

    def delete(self, identifier: str, properties: Values) -> None:
        """Delete the service; with `stopGracePeriod`, wait so long for its containers on this engine to be gone."""
        grace = properties["taskSpec"]["containerSpec"].get("stopGracePeriod", "0s")
        containers = self._containers(properties["name"]) if grace != "0s" else []
        self._engine.call("DELETE", f"/services/{identifier}")
        for container in containers:
            self._await_removal(container, grace)

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
