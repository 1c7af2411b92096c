"""The edge: what one client may use of it, and its certificate."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from components import certificate
from components.edge_config import Limits
from settings.models.base import Model


class EdgeLimits(Model):
    """What one address may use of one host's edge: a whole office can have one."""

    connections: Annotated[int, Field(ge=1, le=4096)] = Limits.connections
    """Connections at a time, and as many requests at a time."""
    requests: Annotated[int, Field(ge=1)] = Limits.requests
    """Requests in 10 seconds."""
    errors: Annotated[int, Field(ge=1)] = Limits.errors
    """Requests in 10 seconds that are refused with a status of 400 to 499."""


def _usable(pem: SecretStr) -> SecretStr:
    certificate.not_after(pem.get_secret_value())
    return pem


Certificate = Annotated[SecretStr, AfterValidator(_usable)]
"""PEM: the certificate, the chain up to its root, and the private key."""
