"""The platform of each host, for which our own images are built there."""

from collections.abc import Mapping

SUPPORTED = ("linux/amd64", "linux/arm64")
"""The platforms for which every upstream image is published."""


def unsuitable(platforms: Mapping[str, str], *, registry: bool) -> list[str]:
    """Return one line for every host that cannot run the images. `platforms` maps a host's name to its platform.

    Our own images are built by each host for itself, so that hosts may differ. With a `registry`, one host builds them
    for all.
    """
    problems = [
        f'{name}: its platform is "{platform}", and the images are published for {" and ".join(SUPPORTED)} only: '
        "use another machine"
        for name, platform in platforms.items()
        if platform not in SUPPORTED
    ]
    if problems or not registry:
        return problems
    (first, common), *others = platforms.items()
    return [
        f'{name}: its platform is "{platform}", that of {first} is "{common}", and one host builds the images for the '
        "registry: use hosts of one platform, or remove `registry`, so that each host builds its own images"
        for name, platform in others
        if platform != common
    ]


def other_than_declared(name: str, platform: str, *, declared: str) -> list[str]:
    """Return a line if the host cannot run the images, or is not of the platform that the program declares for it."""
    problems = unsuitable({name: platform}, registry=False)
    if problems or platform == declared:
        return problems
    remedy = "declare the platform that it has, or create another machine"
    return [f'{name}: its platform is "{platform}", and "{declared}" is declared: {remedy}']
