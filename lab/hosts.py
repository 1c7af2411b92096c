"""The hosts of a lab: containers that Vagrant makes on the engine that runs them, or virtual machines."""

from lab import lifecycle, vagrant
from lab.paths import Lab


def up(lab: Lab, *names: str) -> None:
    """Start these hosts, or all of them if none are named. Running hosts are left alone.

    Raises:
        LabError: they did not start; Vagrant's own error has already been printed.
    """
    lifecycle.of(lab).start_hosts(*names)


def destroy(lab: Lab, *names: str) -> None:
    """Remove these hosts and their data, or all hosts if none are named.

    Raises:
        LabError: Vagrant failed; its own error has already been printed.
    """
    vagrant.run(lab, lifecycle.of(lab), "destroy", "--force", *names)
