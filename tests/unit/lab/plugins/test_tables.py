"""The stand-ins have the same inputs as the real providers' packages."""

import inspect
from typing import Any

import pulumi_command
import pulumi_docker
import pytest

from lab.plugins.command.local import Command
from lab.plugins.docker.files import Secret, ServiceConfig
from lab.plugins.docker.image import Image
from lab.plugins.docker.network import Network
from lab.plugins.docker.service_shape import SERVICE
from lab.plugins.docker.volume import Volume
from lab.plugins.shape import ListOf, Shape

# The program does not use these inputs, so the stand-ins refuse them.
LEFT_OUT = {
    "service": {"auth", "convergeConfig"},
    "service container": {"privileges"},
    "service network": {"name"},
    "reservation": {"genericResources"},
    "config": {"dataRaw"},
    "volume": {"cluster"},
    "command": {"archivePaths", "assetPaths"},
}
# The real provider fills this in itself, so the package has no argument for it.
OWN = {"image build": {"contextDigest"}}

docker: Any = pulumi_docker


def inputs_of(shape: Shape) -> set[str]:
    return {key for key, known in shape.fields.items() if not known.output}


def arguments_of(arguments: type) -> set[str]:
    names = list(inspect.signature(arguments.__init__).parameters)[1:]
    words = [name.rstrip("_").split("_") for name in names]
    return {first + "".join(word.capitalize() for word in rest) for first, *rest in words}


@pytest.mark.parametrize(
    ("shape", "arguments"),
    [
        (SERVICE, docker.ServiceArgs),
        (ServiceConfig.shape, docker.ServiceConfigArgs),
        (Secret.shape, docker.SecretArgs),
        (Network.shape, docker.NetworkArgs),
        (Volume.shape, docker.VolumeArgs),
        (Image.shape, docker.ImageArgs),
        (Command.shape, pulumi_command.local.CommandArgs),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_type_has_the_properties_of_the_real_one(shape: Shape, arguments: type) -> None:
    assert inputs_of(shape) - OWN.get(shape.name, set()) == arguments_of(arguments) - LEFT_OUT.get(shape.name, set())


NESTED = {
    "taskSpec": docker.ServiceTaskSpecArgs,
    "taskSpec.containerSpec": docker.ServiceTaskSpecContainerSpecArgs,
    "taskSpec.containerSpec.configs": docker.ServiceTaskSpecContainerSpecConfigArgs,
    "taskSpec.containerSpec.secrets": docker.ServiceTaskSpecContainerSpecSecretArgs,
    "taskSpec.containerSpec.mounts": docker.ServiceTaskSpecContainerSpecMountArgs,
    "taskSpec.containerSpec.mounts.tmpfsOptions": docker.ServiceTaskSpecContainerSpecMountTmpfsOptionsArgs,
    "taskSpec.containerSpec.mounts.volumeOptions": docker.ServiceTaskSpecContainerSpecMountVolumeOptionsArgs,
    "taskSpec.containerSpec.healthcheck": docker.ServiceTaskSpecContainerSpecHealthcheckArgs,
    "taskSpec.containerSpec.hosts": docker.ServiceTaskSpecContainerSpecHostArgs,
    "taskSpec.containerSpec.dnsConfig": docker.ServiceTaskSpecContainerSpecDnsConfigArgs,
    "taskSpec.networksAdvanceds": docker.ServiceTaskSpecNetworksAdvancedArgs,
    "taskSpec.placement": docker.ServiceTaskSpecPlacementArgs,
    "taskSpec.placement.platforms": docker.ServiceTaskSpecPlacementPlatformArgs,
    "taskSpec.resources": docker.ServiceTaskSpecResourcesArgs,
    "taskSpec.resources.limits": docker.ServiceTaskSpecResourcesLimitsArgs,
    "taskSpec.resources.reservation": docker.ServiceTaskSpecResourcesReservationArgs,
    "taskSpec.restartPolicy": docker.ServiceTaskSpecRestartPolicyArgs,
    "taskSpec.logDriver": docker.ServiceTaskSpecLogDriverArgs,
    "endpointSpec": docker.ServiceEndpointSpecArgs,
    "endpointSpec.ports": docker.ServiceEndpointSpecPortArgs,
    "updateConfig": docker.ServiceUpdateConfigArgs,
    "rollbackConfig": docker.ServiceRollbackConfigArgs,
}


@pytest.mark.parametrize(("path", "arguments"), NESTED.items(), ids=NESTED)
def test_nested_types_of_a_service_have_the_properties_of_the_real_ones(path: str, arguments: type) -> None:
    shape: Any = SERVICE
    for part in path.split("."):
        codec = shape.fields[part].codec
        shape = codec.item if isinstance(codec, ListOf) else codec

    assert inputs_of(shape) == arguments_of(arguments) - LEFT_OUT.get(shape.name, set())
