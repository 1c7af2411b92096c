"""The demo: start hosts and cluster, transfer a file, report the metrics, and remove everything again."""

import os
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from components.ssh import ask
from lab import configuration, engine, hosts, lifecycle, login, metrics, mode, own_settings, packages, pulumi_cli, stack
from lab.packages import LabError
from lab.paths import Lab
from lab.progress import step

_SERVICES = """
docker node ls --format '  {{.Hostname}}: {{.Status}}, {{.Availability}} {{.ManagerStatus}}'
docker service ls --format '{{.Name}} {{.Replicas}}' | while read -r service replicas; do
  printf '  %s %s: ' "$service" "$replicas"
  docker service ps "$service" --filter desired-state=running --format '{{.Node}}' | sort | uniq -c | xargs
done
"""


def run(lab: Lab) -> None:
    """Start the cluster, transfer a file between the hosts, and show status and metrics."""
    with engine.exclusive(lab):
        tools = prepare(lab)
        with step("pulumi up"):
            stack.pulumi(lab, tools, "up", "--yes", "--skip-preview", capture=False)
        _transfer(lab)
        with step("reading the metrics of all hosts from both InfluxDBs"):
            table = metrics.wait_for_all(lab)
        page = metrics.draw(lab)
    status(lab)
    note = lifecycle.of(lab).note
    print(f"\nThe metrics as charts: {page}. To see them again: make metrics, make report.")
    print(f"{note}\n\n{table}" if note else f"\n{table}", end="")


def test(lab: Lab, *arguments: str) -> bool:
    """Start new hosts, run pytest with these arguments where they can be reached, and return whether all passed."""
    try:
        with engine.exclusive(lab):
            discard_hosts(lab)
            prepare(lab)
            command = lifecycle.of(lab).command(
                [str(Path(sys.prefix) / "bin" / "pytest"), "--durations=20", *arguments]
            )
            return subprocess.run(command, cwd=lab.checkout, check=False).returncode == 0
    except LabError as error:
        print(f"lab: {error}")
        return False


def prepare(lab: Lab) -> Path:
    """Do everything that comes before `pulumi up`: packages, tools, images, plugins, configuration and running hosts.

    Returns:
        The folder with the Pulumi CLI.
    """
    tools = configure(lab)
    with step("starting the hosts"):
        hosts.up(lab)
    stack.prepare(lab, tools)
    return tools


def configure(lab: Lab) -> Path:
    """Do the parts of `prepare` that need no running host.

    Returns:
        The folder with the Pulumi CLI.

    Raises:
        LabError: a step failed, or the user's own settings are wrong.
    """
    own = own_settings.read(lab)  # first, so that a mistake is reported before anything slow
    if not lab.virtual:
        mode.choose(lab)
    packages.install()
    tools = pulumi_cli.install()
    chosen = lifecycle.of(lab)
    images = chosen.serve_images()
    chosen.install_plugins(stack.pulumi_home(lab), partial(stack.pulumi, lab, tools))
    configuration.write(lab, images, own)
    return tools


def discard_hosts(lab: Lab) -> None:
    """Remove the hosts and state of an earlier run, so that the tests start with new ones. A running engine stays."""
    if not lab.local_dir.exists():
        return
    with step("removing the hosts of an earlier run"):
        lifecycle.of(lab).discard_hosts()
        for name in ("state", "vagrant"):
            shutil.rmtree(lab.local_dir / name, ignore_errors=True)
        lab.config_file.unlink(missing_ok=True)


def status(lab: Lab) -> None:
    """Print what runs where, and how to reach it.

    Raises:
        LabError: the lab is not up.
    """
    listed = addresses(lab)
    first, last = next(iter(listed.values())), list(listed.values())[-1]
    services, port = ask_host(lab, first, _SERVICES), _port(lab)
    enter = lifecycle.of(lab).prefix
    print(f"""
The cluster is up.
Hosts: {", ".join(f"{name} {address}" for name, address in listed.items())}
{services.rstrip()}
Send and fetch a file through any host:
  {enter}curl -X POST -F 'file=@README.md' {first}:{port}/upload
  {enter}curl -X POST -F 'name=README.md' {last}:{port}/download > README.copy
To open a shell that can reach the hosts: make shell. To remove everything: make destroy.""")


def destroy(*labs: Lab) -> None:
    """Remove the labs with their hosts, engines, state and keys. Built tools and images stay in the cache."""
    engine.sweep_orphans()
    for lab in labs:
        if not lab.local_dir.exists() and not lab.machine_dir.exists():
            continue
        with step(f'removing the lab "{lab.name}"'), engine.exclusive(lab):
            lifecycle.of(lab).remove()
            shutil.rmtree(lab.local_dir, ignore_errors=True)
            engine.lock_file(lab).unlink()


def ask_host(lab: Lab, address: str, script: str, *, timeout: int = 60) -> str:
    """Run a script on the host with this address and return what it prints.

    `timeout` is in seconds, for a host that is not slow.
    """
    return ask(login.target(lab, address), script, timeout=timeout, prefix=lifecycle.of(lab).command([]))


def require(lab: Lab) -> None:
    """Check that the lab is running.

    Raises:
        LabError: it is not.
    """
    if not lifecycle.of(lab).is_running() or not lab.config_file.exists():
        raise LabError("the lab is not up: run `make demo`")


def addresses(lab: Lab) -> dict[str, str]:
    """Return each host's address by its name, from the configuration that was written last.

    Raises:
        LabError: the lab is not up.
    """
    require(lab)
    return {host["name"]: host["address"] for host in configuration.read(lab)["hosts"]}


def _port(lab: Lab) -> int:
    return int(configuration.read(lab).get("edge_port", 5001))


def _transfer(lab: Lab) -> None:
    """Send a file through each host and fetch it through the next, with the commands that users type."""
    hosts_in_order, port = list(addresses(lab).values()), _port(lab)
    with (
        step("sending a file through each host, and fetching it through the next"),
        tempfile.TemporaryDirectory() as folder,
    ):
        for up, down in zip(hosts_in_order, hosts_in_order[1:] + hosts_in_order[:1], strict=True):
            sent, received = Path(folder, f"demo-{up}.bin"), Path(folder, "received")
            sent.write_bytes(os.urandom(2**20))
            upload = ["curl", "-fsS", "-X", "POST", "-F", f"file=@{sent}", f"{up}:{port}/upload"]
            download = ["curl", "-fsS", "-X", "POST", "-F", f"name={sent.name}", f"{down}:{port}/download"]
            for command in (upload, [*download, "-o", str(received)]):
                if subprocess.run(lifecycle.of(lab).command(command), check=False).returncode:
                    raise LabError(f"failed: {' '.join(command)}")
            if received.read_bytes() != sent.read_bytes():
                raise LabError(f"the file from {down} differs from the one sent to {up}")
            print(f"   sent to {up}, fetched from {down}: identical")
