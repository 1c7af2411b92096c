"""Which settings are secret, and how their values go on to Pulumi."""

import pulumi
from pydantic import BaseModel, SecretStr

from settings.paths import types_by_path


def secret_paths(model: type[BaseModel]) -> list[str]:
    """Return the paths of all settings of type `SecretStr`, sorted; the only list of what is secret."""
    return sorted({path for path, found in types_by_path(model) if issubclass(found, SecretStr)})


def secret(value: SecretStr) -> pulumi.Output[str]:
    """Return a secret setting as Pulumi carries it: encrypted in state, hidden in output."""
    return pulumi.Output.secret(value.get_secret_value())
