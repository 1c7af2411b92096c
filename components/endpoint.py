"""Where a component's service answers: what a component returns for others to connect to."""

from dataclasses import dataclass

import pulumi


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A service on its overlay networks, at a port. `ready` resolves to its name once it runs as configured."""

    service: str
    port: int
    ready: pulumi.Output[str]

    @property
    def url(self) -> str:
        """The URL at which other services on its networks find it."""
        return f"http://{self.service}:{self.port}"


@dataclass(frozen=True, kw_only=True)
class Backend(Endpoint):
    """A service with replicas, for an edge. A replica answers `/readyz` at `status_port` while it takes requests."""

    status_port: int
    replicas: int
