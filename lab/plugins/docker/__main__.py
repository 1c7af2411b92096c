"""The plugin process: `python -m lab.plugins.docker ENGINE`."""

import json

from pulumi.provider.experimental import provider

from lab.plugins.docker.engine_api import EngineApi
from lab.plugins.docker.files import Secret, ServiceConfig
from lab.plugins.docker.image import Image
from lab.plugins.docker.network import Network
from lab.plugins.docker.service import Service
from lab.plugins.docker.volume import Volume
from lab.plugins.resource import TypedProvider
from lab.plugins.serve import serve
from lab.plugins.shape import Field, Shape
from lab.plugins.values import plain_map


class Docker(TypedProvider):
    """pulumi-docker for one host, reached by ssh."""

    config_shape = Shape("provider docker", {"host": Field(required=True), "registryAuth": Field(), "sshOpts": Field()})

    async def configure(self, request: provider.ConfigureRequest) -> provider.ConfigureResponse:
        """Remember the host; nothing is contacted yet."""
        config = plain_map(request.args)
        engine = EngineApi(config["host"], json.loads(config.get("sshOpts", "[]")))
        self.types = {
            "docker:index/image:Image": Image(engine),
            "docker:index/network:Network": Network(engine),
            "docker:index/secret:Secret": Secret(engine),
            "docker:index/service:Service": Service(engine, json.loads(config.get("registryAuth", "[]"))),
            "docker:index/serviceConfig:ServiceConfig": ServiceConfig(engine),
            "docker:index/volume:Volume": Volume(engine),
        }
        return provider.ConfigureResponse(
            accept_secrets=True, accept_resources=True, accept_outputs=True, supports_preview=True
        )


if __name__ == "__main__":
    serve("5.2.0", Docker())
