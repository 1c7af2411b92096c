"""Secret settings are found by their type, must be stored encrypted, and are never shown."""

import copy
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import pytest
from certificates import self_signed
from pydantic import BaseModel, Field, SecretStr
from recorder import PASSWORD, PASSWORDS, Recorder, configure

import settings
from settings.paths import ANY, set_locations
from settings.secrets import secret_paths

SECRETS = secret_paths(settings.Settings)
NEIGHBOURS = {"registry": {"address": "registry.example"}, "tokens": {"ci": {"scopes": ["read"]}}}
"""The other settings that some secrets need to be valid."""


def place(path: str) -> list[str]:
    return ["ci" if part == ANY else part for part in path.split(".")]


def with_value(values: dict[str, Any], place: list[str], value: Any) -> dict[str, Any]:
    """Return the settings with this value at this place, and with the other settings that it needs."""
    changed = copy.deepcopy(values)
    inner = changed
    for depth, part in enumerate(place[:-1]):
        default: Any = NEIGHBOURS.get(place[0], {}) if depth == 0 else {}
        inner = inner.setdefault(part, copy.deepcopy(default))
    inner[place[-1]] = value
    return changed


def valid_secret(path: str) -> str:
    return self_signed() if path == "edge_certificate" else "https://correct-Horse-battery.example"


def secrets_in(value: Any) -> list[str]:
    """Return every secret within a value, in the clear."""
    if isinstance(value, SecretStr):
        return [value.get_secret_value()]
    if isinstance(value, BaseModel):
        return [secret for name in type(value).model_fields for secret in secrets_in(getattr(value, name))]
    return [secret for inner in value.values() for secret in secrets_in(inner)] if isinstance(value, Mapping) else []


class Door(BaseModel):
    key: SecretStr
    number: int = 1


class House(BaseModel):
    alarm_code: SecretStr
    spare: SecretStr | None = None
    front: Door
    back: Door | None = None
    cellar: Annotated[Door, Field(description="dark")] | None = None
    rooms: Mapping[str, Door] = Field(default_factory=dict)
    sheds: tuple[Door, ...] = ()
    safes: Mapping[str, Annotated[SecretStr, Field(min_length=4)]] | None = None
    for_: SecretStr | None = Field(default=None, alias="for")
    address: str = ""


def test_every_secret_of_a_model_is_found_by_its_type() -> None:
    assert secret_paths(House) == [
        "alarm_code",
        "back.key",
        "cellar.key",
        "for",
        "front.key",
        "rooms.*.key",
        "safes.*",
        "sheds.*.key",
        "spare",
    ]


def test_the_secrets_of_the_settings_are_found() -> None:
    assert {
        *PASSWORDS,
        "alerting.heartbeat_url",
        "alerting.smtp_password",
        "alerting.webhook_url",
        "edge_certificate",
        "registry.password",
        "tokens.*.token",
    } <= set(SECRETS)


def test_every_location_where_a_path_is_set_is_found() -> None:
    values = {
        "rooms": {"hall": {"key": "k"}, "attic": {"key": ""}, "loft": {"number": 2}},
        "sheds": [{}, {"key": "k"}],
        "front": "no object",
    }

    assert list(set_locations(values, "rooms.*.key")) == [("rooms", "hall", "key")]
    assert list(set_locations(values, "sheds.*.key")) == [("sheds", 1, "key")]
    assert list(set_locations(values, "front.key")) == []


@pytest.mark.parametrize("path", SECRETS)
def test_a_secret_in_the_clear_is_refused_by_name_before_anything_is_registered(
    run_program: Callable[..., Recorder], recorder: Recorder, values: dict[str, Any], path: str
) -> None:
    secret = valid_secret(path)

    with pytest.raises(settings.SettingsError) as raised:
        run_program(with_value(values, place(path), secret), secrets=tuple(PASSWORDS.keys() - {place(path)[0]}))

    heading, problem = str(raised.value).splitlines()
    assert "cannot be used" in heading
    assert f"swarm-transfer:{'.'.join(place(path))} is stored in the clear: run `pulumi config set --secret " in problem
    assert secret not in str(raised.value)
    assert [r.name for r in recorder.resources if r.typ != "pulumi:pulumi:Stack"] == []


@pytest.mark.parametrize("path", SECRETS)
def test_a_secret_under_an_encrypted_key_is_accepted(values: dict[str, Any], path: str) -> None:
    secret = valid_secret(path)
    configure(with_value(values, place(path), secret), {*PASSWORDS, place(path)[0]})

    assert secret in secrets_in(settings.load())


@pytest.mark.parametrize(
    ("path", "remedy"),
    [
        ("operator_password", "run `pulumi config set --secret swarm-transfer:operator_password`"),
        ("registry.password", "run `pulumi config set --secret --path swarm-transfer:registry.password`"),
        # With --path, a JSON text would be replaced by an object with this token and nothing else.
        ("tokens.*.token", "run `pulumi config set --secret swarm-transfer:tokens`, with all of tokens as JSON"),
    ],
)
def test_the_remedy_encrypts_the_secret_and_keeps_other_values(values: dict[str, Any], path: str, remedy: str) -> None:
    configure(with_value(values, place(path), valid_secret(path)), PASSWORDS.keys() - {path})

    with pytest.raises(settings.SettingsError) as raised:
        settings.load()

    assert str(raised.value).endswith(f"is stored in the clear: {remedy}")


def test_every_secret_in_the_clear_is_listed(values: dict[str, Any]) -> None:
    configure(values, ())

    with pytest.raises(settings.SettingsError) as raised:
        settings.load()

    assert len(str(raised.value).splitlines()) == 1 + len(PASSWORDS)


@pytest.mark.parametrize("encrypted", [True, False], ids=["encrypted", "in the clear"])
@pytest.mark.parametrize("path", SECRETS)
def test_no_error_shows_a_secret_in_any_wrong_place(values: dict[str, Any], path: str, *, encrypted: bool) -> None:
    secret = "it's secret"  # too short, with a quote, no address, no certificate: refused wherever there is a rule
    for depth in range(1, len(place(path)) + 1):
        for wrong in (secret, [secret], {"misspelt": secret}):
            broken = with_value({**values, "ready_timeout": 0}, place(path)[:depth], wrong)
            with pytest.raises(settings.SettingsError) as raised:
                settings.parse(broken, encrypted=frozenset({place(path)[0]} if encrypted else ()))
            assert "swarm-transfer:ready_timeout" in str(raised.value)
            assert secret not in str(raised.value)


def test_an_error_shows_no_value_of_an_encrypted_object(values: dict[str, Any]) -> None:
    alerting = {"receiver": "https://secret", "webhok_url": "https://secret"}

    with pytest.raises(settings.SettingsError) as raised:
        settings.parse({**values, "alerting": alerting}, encrypted=frozenset({"alerting"}))

    assert "alerting.receiver: (hidden)" in str(raised.value)
    assert "alerting.webhok_url is not a setting (value (hidden))" in str(raised.value)
    assert "https://secret" not in str(raised.value)


def test_a_secret_under_a_misspelt_key_is_not_shown(values: dict[str, Any]) -> None:
    values["operator_pasword"] = values.pop("operator_password")
    configure(values, {"operator_pasword"})

    with pytest.raises(settings.SettingsError, match="operator_pasword is not a setting") as raised:
        settings.load()

    assert PASSWORD not in str(raised.value)


def test_an_encrypted_value_of_a_plain_setting_is_refused_and_not_shown(values: dict[str, Any]) -> None:
    configure({**values, "private_cidr": "192.168.50.0/24"}, {*PASSWORDS, "private_cidr"})

    with pytest.raises(settings.SettingsError, match=r"swarm-transfer:private_cidr: \(hidden\): ") as raised:
        settings.load()

    assert "192.168.50.0/24" not in str(raised.value)


def test_the_error_for_a_missing_or_short_secret_has_the_command_that_sets_it(values: dict[str, Any]) -> None:
    values["tokens"] = {"ci": {"scopes": ["read"]}, "press": {"token": "hunter2", "scopes": ["read"]}}

    with pytest.raises(settings.SettingsError) as raised:
        settings.parse(values)

    remedy = "run `pulumi config set --secret swarm-transfer:tokens`, with all of tokens as JSON"
    assert str(raised.value).splitlines()[1:] == [
        f"  swarm-transfer:tokens.ci.token is missing: {remedy}",
        "  swarm-transfer:tokens.press.token: has 7 characters, fewer than 32: `make token` makes one: " + remedy,
    ]
