"""The ssh connection that a command runs over."""

import asyncio
from collections.abc import Mapping
from typing import Any

import asyncssh

from lab.plugins.serve import ProviderError
from lab.plugins.shape import Field, Shape

CONNECTION = Shape(
    "connection",
    {
        "host": Field(required=True),
        "user": Field(),
        "port": Field(),
        "password": Field(),
        "privateKey": Field(),
        "privateKeyPassword": Field(),
        "hostKey": Field(),
        "dialErrorLimit": Field(),
        "perDialTimeout": Field(),
    },
)
"""Agents and proxies are left out, and so refused."""

DEFAULTS = {"user": "root", "port": 22, "dialErrorLimit": 10, "perDialTimeout": 15}


async def dial(connection: Mapping[str, Any]) -> asyncssh.SSHClientConnection:
    """Connect; without `hostKey` nobody is verified, as with the real provider.

    Raises:
        ProviderError: the host was not reached in `dialErrorLimit` retries (-1: no limit).
    """
    options: dict[str, Any] = {"known_hosts": None, "agent_path": None, "config": None}
    if host_key := connection.get("hostKey"):
        options["known_hosts"] = ([asyncssh.import_public_key(host_key)], [], [])
        options["server_host_key_algs"] = [host_key.split()[0]]
    if private_key := connection.get("privateKey"):
        options["client_keys"] = [asyncssh.import_private_key(private_key, connection.get("privateKeyPassword"))]
    failures, delay = 0, 0.1
    while True:
        try:
            return await asyncssh.connect(
                connection["host"],
                int(connection["port"]),
                username=connection["user"],
                password=connection.get("password"),
                connect_timeout=connection["perDialTimeout"] or None,
                **options,
            )
        except (OSError, asyncssh.Error, TimeoutError) as error:
            failures += 1
            if 0 <= connection["dialErrorLimit"] < failures:
                raise ProviderError(f"after {failures - 1} failed attempts: {connection['host']}: {error}") from error
        await asyncio.sleep(delay)
        delay = min(delay * 1.5, 5)
