"""The registry to which our own images are pushed, if the settings name one, and whether every host can log in."""

import base64
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pulumi

from .shell import render
from .ssh import SshError, SshTarget, ask


@dataclass(frozen=True, kw_only=True)
class Registry:
    """A registry from which all hosts can pull. Without a `username` it asks for no login."""

    address: str
    username: str
    password: pulumi.Output[str]


@dataclass(frozen=True, kw_only=True)
class Login:
    """The same registry and login as plain text, to try them before anything is changed."""

    address: str
    username: str
    password: str = field(repr=False)


def engine_login(registry: Registry) -> pulumi.Output[str] | None:
    """Return the login as the Engine's API takes it to pull an image; None if the registry asks for none."""
    if not registry.username:
        return None
    return registry.password.apply(
        lambda password: base64.urlsafe_b64encode(
            json.dumps(
                {"username": registry.username, "password": password, "serveraddress": registry.address}
            ).encode()
        ).decode()
    )


def refusals(targets: Sequence[SshTarget], login: Login) -> list[str]:
    """Let every host's Engine log in, and return one line for every host that cannot.

    The hosts pull from the registry themselves, so each of them must reach it and trust its certificate.
    """
    if not login.username:
        return []
    with ThreadPoolExecutor(max_workers=32) as pool:
        found = pool.map(lambda target: _refusal(target, login), targets)
        return [line for line in found if line]


def _refusal(target: SshTarget, login: Login) -> str | None:
    body = {"username": login.username, "password": login.password, "serveraddress": login.address}
    try:
        # The script is standard input, so the password is neither in an argument nor in a file.
        answer = ask(target, render("log_in", LOGIN=json.dumps(body)))
    except SshError as error:
        return f"{target.name}: its Docker Engine does not answer ({_last_line(str(error))}): restart it"
    document, _, status = answer.rstrip().rpartition("\n")
    if status == "200":
        return None
    message = _message(document)
    if status == "401" or "unauthorized" in message.lower():
        return (
            f'{target.name}: the registry "{login.address}" refuses the user "{login.username}" or the password '
            f"({message}): correct registry.username, or run `pulumi config set --secret --path "
            "swarm-transfer:registry.password`"
        )
    return (
        f'{target.name}: cannot use the registry "{login.address}" ({message}): check registry.address, and that this '
        "host reaches it and trusts its certificate (/etc/docker/certs.d)"
    )


def _message(document: str) -> str:
    try:
        return _last_line(str(json.loads(document)["message"]))
    except (ValueError, KeyError, TypeError):
        return "no reason given"


def _last_line(text: str) -> str:
    return text.strip().splitlines()[-1] if text.strip() else "no reason given"
