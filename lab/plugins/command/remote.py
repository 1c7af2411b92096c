"""command:remote:Command."""

import asyncio
import json
import uuid
from typing import Any

import asyncssh

from lab.plugins.command.connection import CONNECTION, DEFAULTS, dial
from lab.plugins.resource import ResourceType, Values, unknown
from lab.plugins.serve import ProviderError
from lab.plugins.shape import Field, Shape

_LOGGING = ("stdout", "stderr", "stdoutAndStderr", "none")


class Command(ResourceType):
    """Commands run when the resource is made, changed and deleted; output is kept, and not shown as it comes."""

    secret_properties = ("connection",)
    shape = Shape(
        "command",
        {
            "connection": Field(codec=CONNECTION, required=True),
            "create": Field(),
            "update": Field(),
            "delete": Field(),
            "triggers": Field(replaces=True),
            "environment": Field(),
            "stdin": Field(),
            "logging": Field(),
            "addPreviousOutputInEnv": Field(),
        },
    )

    def check(self, inputs: Values) -> Values:
        """Fill in the connection's defaults."""
        if inputs.get("logging", "none") not in _LOGGING:
            raise ValueError(f"logging is «{inputs['logging']}»: use one of {', '.join(_LOGGING)}")
        if isinstance(inputs["connection"], dict):
            inputs = {**inputs, "connection": {**DEFAULTS, **inputs["connection"]}}
        return inputs

    def preview(self, inputs: Values) -> Values:
        """What it prints is not known before it has run."""
        return unknown(inputs, "stdout", "stderr")

    def create(self, inputs: Values, name: str) -> tuple[str, Values]:
        """Run `create`, if there is one."""
        return f"{name}{uuid.uuid4().hex[:8]}", _run(inputs, inputs.get("create"), {})

    def read(self, identifier: str, inputs: Values, properties: Values) -> tuple[Values, Values]:  # noqa: ARG002
        """Believe the state: there is nothing to look at."""
        return inputs, properties

    def update(self, identifier: str, inputs: Values, properties: Values) -> Values:  # noqa: ARG002
        """Run `update`, or `create` again if there is none."""
        return _run(inputs, inputs.get("update", inputs.get("create")), properties)

    def delete(self, identifier: str, properties: Values) -> None:  # noqa: ARG002 - the stored inputs say it all
        """Run `delete`, if there was one when the resource was last made or changed."""
        _run(properties, properties.get("delete"), properties)


def _run(inputs: Values, command: str | None, before: Values) -> Values:
    printed = {key: before.get(key, "") for key in ("stdout", "stderr")}
    if command is not None:
        printed = asyncio.run(_run_remotely(inputs, command, printed))
    return {key: value for key, value in inputs.items() if key not in printed} | printed


async def _run_remotely(inputs: Values, command: str, before: dict[str, Any]) -> dict[str, str]:
    environment = dict(inputs.get("environment", {}))
    if inputs.get("addPreviousOutputInEnv", True):
        environment |= {f"PULUMI_COMMAND_{key.upper()}": value for key, value in before.items() if value}
    # Without input the command is to see its end at once; asyncssh would keep it open.
    given = {"input": inputs["stdin"]} if inputs.get("stdin") else {"stdin": asyncssh.DEVNULL}
    async with await dial(inputs["connection"]) as connection:
        done = await connection.run(command, **given, env=environment, encoding="utf-8", errors="replace")
    if done.exit_status != 0:
        ended = f"Process exited with status {done.exit_status}" if done.exit_status else "Process was ended"
        raise ProviderError(f"{ended}: running {json.dumps(command)}:\n{_text(done.stdout)}{_text(done.stderr)}")
    return {key: _text(getattr(done, key)).removesuffix("\n") for key in ("stdout", "stderr")}


def _text(output: asyncssh.BytesOrStr | None) -> str:
    return output if isinstance(output, str) else ""
