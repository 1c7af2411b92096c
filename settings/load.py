"""Reading the stack's configuration: the only place that knows Pulumi's config."""

import json
from collections.abc import Mapping
from typing import Any

from pulumi.runtime import config as pulumi_config
from pydantic import BaseModel, SecretStr, ValidationError

from settings import consistency
from settings.errors import PROJECT, inconsistent, invalid, refusal, stored_in_the_clear
from settings.models import Settings
from settings.paths import set_locations, types_by_path
from settings.secrets import secret_paths

_OBJECTS = {path.partition(".")[0] for path, found in types_by_path(Settings) if issubclass(found, BaseModel)}
"""The settings that are objects, or lists or mappings of them."""


def load() -> Settings:
    """Read and validate the current stack's configuration.

    Raises:
        SettingsError: something is missing, unknown, invalid, or a secret in the clear; every problem is listed.
    """
    texts = {**pulumi_config.get_config_env(), **pulumi_config.CONFIG.get()}
    ours = {key.removeprefix(f"{PROJECT}:"): text for key, text in texts.items() if key.startswith(f"{PROJECT}:")}
    encrypted = frozenset(key for key in ours if pulumi_config.is_config_secret(f"{PROJECT}:{key}"))
    values = {key: _decode(key, text, encrypted=key in encrypted) for key, text in ours.items()}
    settings = parse(values, encrypted=encrypted)
    in_the_clear = [
        stored_in_the_clear(path, loc)
        for path in secret_paths(Settings)
        for loc in set_locations(values, path)
        if loc[0] not in encrypted  # Pulumi tells which keys have something encrypted in them, and no more
    ]
    if in_the_clear:
        raise refusal(in_the_clear)
    return settings


def parse(values: Mapping[str, Any], *, encrypted: frozenset[str] = frozenset()) -> Settings:
    """Validate plain values, keyed as in the stack's file without the project's prefix.

    An error shows nothing of what is below the keys in `encrypted`.

    Raises:
        SettingsError: something is missing, unknown or invalid, and every such problem is listed; or two settings
            contradict each other.
    """
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise refusal(invalid(error, Settings, encrypted=encrypted)) from None
    try:
        consistency.check(settings)
    except ValueError as error:
        raise refusal([inconsistent(error)]) from None
    return settings


def _decode(key: str, text: str, *, encrypted: bool) -> Any:  # noqa: ANN401 - text, or what a JSON text says
    # Pulumi hands over objects as JSON. Only where an object belongs: a password may begin with a bracket, too.
    if key in _OBJECTS:
        try:
            return json.loads(text)
        except ValueError:
            pass  # validation says what is expected instead
    # An encrypted text fits secret settings only: through any other it would go on in the clear.
    return SecretStr(text) if encrypted else text
