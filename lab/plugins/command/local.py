"""The resource type command:local:Command."""

import json
import os
import subprocess
import uuid
from collections.abc import Sequence

from lab.plugins.resource import ResourceType, Values, unknown
from lab.plugins.serve import ProviderError
from lab.plugins.shape import Field, Shape

_LOGGING = ("stdout", "stderr", "stdoutAndStderr", "none")
_SHELL = ("/bin/sh", "-c")


class Command(ResourceType):
    """Runs commands when the resource is created, changed and deleted. It stores their output, and never shows it."""

    shape = Shape(
        "command",
        {
            "interpreter": Field(),
            "create": Field(),
            "update": Field(),
            "delete": Field(),
            "triggers": Field(replaces=True),
            "dir": Field(),
            "environment": Field(),
            "stdin": Field(),
            "logging": Field(),
            "addPreviousOutputInEnv": Field(),
        },
    )

    def check(self, inputs: Values) -> Values:
        """Refuse a kind of logging that the real provider does not have."""
        if inputs.get("logging", "none") not in _LOGGING:
            raise ValueError(f'logging is "{inputs["logging"]}": use one of {", ".join(_LOGGING)}')
        return inputs

    def preview(self, inputs: Values, properties: Values) -> Values:  # noqa: ARG002 - earlier output says nothing about the next
        """Return the output as unknown, since the command has not run yet."""
        return unknown(inputs, "stdout", "stderr")

    def create(self, inputs: Values, name: str) -> tuple[str, Values]:
        """Run `create`, if there is one."""
        return f"{name}{uuid.uuid4().hex[:8]}", _run(inputs, inputs.get("create"), {})

    def read(self, identifier: str, inputs: Values, properties: Values) -> tuple[Values, Values]:  # noqa: ARG002
        """Return the state as it is, since there is nothing to look at."""
        return inputs, properties

    def update(self, identifier: str, inputs: Values, properties: Values, ignored: Sequence[str]) -> Values:  # noqa: ARG002
        """Run `update`, or `create` again if there is none."""
        return _run(inputs, inputs.get("update", inputs.get("create")), properties)

    def delete(self, identifier: str, properties: Values) -> None:  # noqa: ARG002 - the stored inputs say it all
        """Run the `delete` that was stored when the resource was created or last changed."""
        _run(properties, properties.get("delete"), properties)


def _run(inputs: Values, script: str | None, before: Values) -> Values:
    printed = {key: before.get(key, "") for key in ("stdout", "stderr")}
    if script is not None:
        printed = _run_script(inputs, script, printed)
    return {key: value for key, value in inputs.items() if key not in printed} | printed


def _run_script(inputs: Values, script: str, before: dict[str, str]) -> dict[str, str]:
    environment = {**os.environ, **inputs.get("environment", {})}
    if inputs.get("addPreviousOutputInEnv", True):
        environment |= {f"PULUMI_COMMAND_{key.upper()}": value for key, value in before.items() if value}
    done = subprocess.run(
        [*inputs.get("interpreter", _SHELL), script],
        cwd=inputs.get("dir"),
        env=environment,
        input=inputs.get("stdin", ""),
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        ended = f"exit status {done.returncode}" if done.returncode > 0 else f"signal: {-done.returncode}"
        raise ProviderError(f"{ended}: running {json.dumps(script)}:\n{done.stdout}{done.stderr}")
    return {"stdout": done.stdout.removesuffix("\n"), "stderr": done.stderr.removesuffix("\n")}
