"""The firewall of every host."""

from typing import Annotated

from pydantic import Field

from settings.models.base import Model


class Firewall(Model):
    """Every host lets in ssh, what the cluster publishes, and these ports; the ports of Docker only from the hosts."""

    ports: frozenset[Annotated[int, Field(ge=1, le=65535)]] = frozenset()
    """Further TCP ports that everybody reaches, on every host."""
