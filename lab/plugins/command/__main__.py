"""The plugin process: `python -m lab.plugins.command ENGINE`."""

from pulumi.provider.experimental import provider

from lab.plugins.command.local import Command
from lab.plugins.resource import TypedProvider
from lab.plugins.serve import serve


class LocalCommands(TypedProvider):
    """pulumi-command's local commands."""

    def __init__(self) -> None:
        self.types = {"command:local:Command": Command()}

    async def configure(self, request: provider.ConfigureRequest) -> provider.ConfigureResponse:  # noqa: ARG002
        """Accept the configuration, which is empty."""
        return provider.ConfigureResponse(
            accept_secrets=True, accept_resources=True, accept_outputs=True, supports_preview=True
        )


if __name__ == "__main__":
    serve("1.2.1", LocalCommands())
