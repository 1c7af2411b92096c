"""An image of our own, built on every host that runs it, or built once and pushed to a registry."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pulumi
import pulumi_docker as docker
from docker.utils.build import exclude_paths

from .commands import remove_repository, remove_superseded_images
from .host import Host
from .registry import Registry

# An engine that lacks an image asks the registry in the image's name. No registry answers at this one, so a missing
# image fails at once, and nobody else can publish an image under our name.
_LOCAL_REGISTRY = "localhost"


@dataclass(frozen=True, kw_only=True)
class ServiceImageArgs:
    """`context` is the folder with the Dockerfile; `hosts` are the hosts that need the image.

    With a `registry`, the image is built once and pushed there; without one, it is built on each of these hosts.
    `target` is the Dockerfile's stage that is the image.
    """

    registry: Registry | None
    repository: str
    context: Path
    hosts: Sequence[Host]
    target: str | None = None
    build_args: Mapping[str, str] = field(default_factory=dict)


class ServiceImage(pulumi.ComponentResource):
    """Builds the image and tags it with a hash of its content. Hosts also keep the previous image, for a rollback."""

    reference: pulumi.Output[str]

    def __init__(self, name: str, args: ServiceImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:image:ServiceImage", name, {}, opts)
        self._args = args
        self._registry = args.registry
        tag = context_hash(args.context, args.build_args)
        self._repository = f"{self._registry.address if self._registry else _LOCAL_REGISTRY}/{args.repository}"
        self._tag = tag
        builders = args.hosts[:1] if self._registry else args.hosts
        # With a registry, the other hosts get the image from it.
        removals = {host.target.name: self._removal(name, host) for host in args.hosts}
        images = [
            self._build(name, host, after=list(removals.values()) if self._registry else [removals[host.target.name]])
            for host in builders
        ]
        # The reference depends on every build, so that a service waits until the image is on every host.
        built = pulumi.Output.all(*[image.repo_digest if self._registry else image.image_name for image in images])
        self.reference = built.apply(lambda references: str(references[0]))
        self.register_outputs({"reference": self.reference})

    def _removal(self, name: str, host: Host) -> pulumi.Resource:
        """Return the command that removes the image, because the provider never removes one from its host.

        Each registry has a command of its own, so that its images are removed when another one is set or none.
        """
        source = f"-{self._registry.address.replace(':', '-').replace('/', '-')}" if self._registry else ""
        return host.command(
            f"{name}-{host.target.name}-removal{source}",
            parent=self,
            update=remove_superseded_images(self._repository, self._tag),
            delete=remove_repository(self._repository),
        )

    def _build(self, name: str, host: Host, *, after: Sequence[pulumi.Resource]) -> docker.Image:
        args, registry = self._args, self._registry
        return docker.Image(
            f"{name}-{host.target.name}",
            image_name=f"{self._repository}:{self._tag}",
            build=docker.DockerBuildArgs(
                context=str(args.context),
                dockerfile=str(args.context / "Dockerfile"),
                platform=host.args.platform,
                args=dict(args.build_args),
                target=args.target,
            ),
            skip_push=registry is None,
            registry=docker.RegistryArgs(
                server=registry.address, username=registry.username, password=registry.password
            )
            if registry
            else None,
            opts=pulumi.ResourceOptions(parent=self, provider=host.provider, depends_on=after),
        )


def context_hash(context: Path, build_args: Mapping[str, str]) -> str:
    """Return the first 12 hex digits of a SHA-256 over the build arguments and every file of the build context."""
    ignore = context / ".dockerignore"
    patterns = [line.strip() for line in ignore.read_text().splitlines()] if ignore.exists() else []
    patterns = [pattern for pattern in patterns if pattern and not pattern.startswith("#")]
    digest = hashlib.sha256(repr(sorted(build_args.items())).encode())
    for relative in sorted(exclude_paths(str(context), patterns)):
        path = context / relative
        if path.is_file():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{relative}\0{path.stat().st_mode & 0o100:o}\0{content}\n".encode())
    return digest.hexdigest()[:12]
