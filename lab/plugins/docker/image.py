"""The resource type docker:index/image:Image, built by the host's own engine."""

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from docker.utils.build import exclude_paths
from docker.utils.build import tar as context_tar

from lab.plugins.difference import Details
from lab.plugins.docker.engine_api import EngineApi
from lab.plugins.resource import ResourceType, Values, unknown
from lab.plugins.shape import Field, Shape

_BUILD = Shape(
    "image build",
    {
        key: Field()
        for key in (
            "addHosts", "args", "builderVersion", "cacheFrom", "context", "dockerfile", "network", "platform", "target",
            "contextDigest",  # the provider adds this input itself
        )
    },
)  # fmt: skip
_INPUTS = "__inputs"
"""The output where the real provider stores the inputs, to compare them with the next ones."""

_REGISTRY = Shape("image registry", {"server": Field(), "username": Field(), "password": Field()})


class Image(ResourceType):
    """An image. Any change, also in the context, builds it again in place. A delete leaves it on the host."""

    shape = Shape(
        "image",
        {
            "imageName": Field(required=True),
            "build": Field(codec=_BUILD),
            "buildOnPreview": Field(),
            "registry": Field(codec=_REGISTRY),
            "skipPush": Field(),
        },
    )
    secret_properties = (_INPUTS,)

    def __init__(self, engine: EngineApi) -> None:
        self._engine = engine

    def check(self, inputs: Values) -> Values:
        """Fill in the path of the Dockerfile and the digest of the context. A changed digest changes the image."""
        build = dict(inputs.get("build") or {})
        build.setdefault("context", ".")
        build.setdefault("dockerfile", f"{build['context'].rstrip('/')}/Dockerfile")
        if not Path(build["dockerfile"]).is_file():
            raise ValueError(f"could not open dockerfile at relative path {build['dockerfile']!r}")
        build["contextDigest"] = _digest(Path(build["context"]), Path(build["dockerfile"]))
        return {"buildOnPreview": False, "skipPush": False, **inputs, "build": build}

    def differences(self, properties: Values, inputs: Values, ignored: Sequence[str]) -> Details:
        """Return the inputs that change. The login to the registry is not part of an image."""
        before = dict(properties[_INPUTS])
        if before.get("registry", {}).get("server") == inputs.get("registry", {}).get("server"):
            before = {key: value for key, value in before.items() if key != "registry"}
            inputs = {key: value for key, value in inputs.items() if key != "registry"}
        return super().differences(before, inputs, ignored)

    def preview(self, inputs: Values, properties: Values) -> Values:  # noqa: ARG002 - the earlier build says nothing about the next
        """Return the outputs of the build as unknown. Nothing is built."""
        return unknown(inputs, "baseImageName", "context", "dockerfile", "platform", "registryServer", "repoDigest")

    def create(self, inputs: Values, name: str) -> tuple[str, Values]:  # noqa: ARG002 - the image's name is an input
        """Build it, and push it unless `skipPush` is set."""
        return inputs["imageName"], self._make(inputs)

    def read(self, identifier: str, inputs: Values, properties: Values) -> tuple[Values, Values]:  # noqa: ARG002
        """Return the state as it is, as the real provider does."""
        return inputs, properties

    def update(self, identifier: str, inputs: Values, properties: Values, ignored: Sequence[str]) -> Values:  # noqa: ARG002
        """Build it again."""
        return self._make(inputs)

    def delete(self, identifier: str, properties: Values) -> None:
        """Leave the image where it is, as the real provider does."""

    def _make(self, inputs: Values) -> Values:
        build, name = inputs["build"], inputs["imageName"]
        context = Path(build["context"])
        dockerfile = str(Path(build["dockerfile"]).relative_to(context))
        parameters = {
            "t": name,
            "dockerfile": dockerfile,
            "buildargs": json.dumps(build.get("args", {})),
            "forcerm": "1",
        }
        parameters |= {key: build[key] for key in ("platform", "target") if key in build}
        archive = context_tar(context, exclude=_ignored(context), gzip=False)
        self._engine.build(archive, parameters)
        image = self._engine.call("GET", f"/images/{name}/json")
        if not inputs["skipPush"]:
            self._push(inputs)
            image = self._engine.call("GET", f"/images/{name}/json")
        return {
            _INPUTS: inputs,
            "imageName": name,
            "baseImageName": name,
            "context": build["context"],
            "dockerfile": dockerfile,
            "platform": build.get("platform") or f"{image['Os']}/{image['Architecture']}",
            "registryServer": inputs.get("registry", {}).get("server", ""),
            "repoDigest": (image["RepoDigests"] or [image["Id"]])[0],
        }

    def _push(self, inputs: Values) -> None:
        registry: dict[str, Any] = inputs.get("registry", {})
        login = {
            "username": registry.get("username", ""),
            "password": registry.get("password", ""),
            "serveraddress": registry.get("server", ""),
        }
        header = base64.urlsafe_b64encode(json.dumps(login).encode()).decode()
        repository, _, tag = inputs["imageName"].rpartition(":")
        self._engine.push(f"/images/{repository}/push?tag={tag}", {"X-Registry-Auth": header})


def _ignored(context: Path) -> list[str]:
    ignore = context / ".dockerignore"
    lines = ignore.read_text().splitlines() if ignore.exists() else []
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _digest(context: Path, dockerfile: Path) -> str:
    digest = hashlib.sha256(dockerfile.read_bytes())
    for relative in sorted(exclude_paths(str(context), _ignored(context))):
        path = context / relative
        if path.is_file():
            digest.update(f"{relative}\0{path.stat().st_mode:o}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
