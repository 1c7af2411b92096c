"""Writes what the program has deployed as a stack file, the files that it names, and the commands to run before it.

Everything is read from the resources' inputs, because the real provider's outputs have a null, an empty list, "" or 0
for each property that is not set.
"""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

_SECRET_MARK = "4dabf18193072939515e22adb298388d"


def stack_file(resources: Sequence[Mapping[str, Any]], image: str) -> tuple[str, dict[str, str]]:
    """Return the services among a state's resources as a stack file, and a mapping from file names to the files' text.

    A service whose image we build ourselves gets `image` instead.
    """
    configs = _by_id(resources, "docker:index/serviceConfig:ServiceConfig")
    secrets = _by_id(resources, "docker:index/secret:Secret")
    networks = _by_id(resources, "docker:index/network:Network")
    files = {f"config-{key}": base64.b64decode(found["data"]).decode() for key, found in configs.items()}
    files |= {f"secret-{key}": base64.b64decode(found["data"]).decode() for key, found in secrets.items()}
    services = {
        found["name"]: _service(found, networks, image)
        for found in _by_id(resources, "docker:index/service:Service").values()
    }
    mounted = {mount["source"] for s in services.values() for mount in s["volumes"] if mount["type"] == "volume"}
    document = {
        "version": "3.8",
        "services": _escaped(services),
        "networks": {
            found["name"]: {
                "name": found["name"],
                "driver": "overlay",
                "internal": found.get("internal", False),
                "ipam": {"config": [{"subnet": found["ipamConfigs"][0]["subnet"]}]},
            }
            for found in networks.values()
        },
        "volumes": {name: {"external": True} for name in sorted(mounted)},
        "configs": {key: {"file": f"config-{key}"} for key in configs},
        "secrets": {key: {"file": f"secret-{key}"} for key in secrets},
    }
    return yaml.safe_dump(document), files


def preparations(resources: Sequence[Mapping[str, Any]], hosts: Sequence[str]) -> dict[str, str]:
    """Return for each host a script that creates and fills its volumes, with the same commands that the program runs.

    A command resource of any type counts if its `create` script mounts a volume. It runs on the host whose name its own
    name ends with, otherwise on the first host. Volumes that are resources themselves are created on the first host.
    """
    scripts: dict[str, list[str]] = {host: [] for host in hosts}
    for volume in _by_id(resources, "docker:index/volume:Volume").values():
        scripts[hosts[0]].append(f"docker volume create {volume['name']} >/dev/null")
    for name, inputs in _commands(resources):
        if "--volume " in inputs.get("create", ""):
            host = next((host for host in hosts if name.endswith(f"-{host}")), hosts[0])
            scripts[host].append(_command(name, inputs["create"], inputs.get("stdin", "")))
    return {host: "set -eu\n" + "\n".join(lines) + "\n" for host, lines in scripts.items()}


def _service(inputs: Mapping[str, Any], networks: Mapping[str, Any], image: str) -> dict[str, Any]:
    task = inputs["taskSpec"]
    container = task["containerSpec"]
    check = container["healthcheck"]
    limits, reserved = task["resources"]["limits"], task["resources"]["reservation"]
    replicated = inputs["mode"].get("replicated")
    deploy = {
        "endpoint_mode": "dnsrr",
        "placement": {"constraints": task.get("placement", {}).get("constraints", [])},
        "resources": {
            "limits": {"cpus": str(limits["nanoCpus"] / 1e9), "memory": str(int(limits["memoryBytes"]))},
            "reservations": {"cpus": str(reserved["nanoCpus"] / 1e9), "memory": str(int(reserved["memoryBytes"]))},
        },
        "restart_policy": {key: task["restartPolicy"][key] for key in ("condition", "delay", "window")},
        **({"replicas": int(replicated["replicas"])} if replicated else {"mode": "global"}),
    }
    return {
        "image": image if container["image"].startswith("localhost/") else container["image"],
        "user": container["user"],
        "init": True,
        "read_only": True,
        "cap_drop": ["ALL"],
        "networks": [networks[network["id"]]["name"] for network in task["networksAdvanceds"]],
        "logging": {"driver": "json-file", "options": dict(task["logDriver"]["options"])},
        "environment": dict(container.get("env", {})),
        "volumes": [_mount(mount) for mount in container.get("mounts", [])],
        "configs": [
            {"source": config["configId"], "target": config["fileName"]} for config in container.get("configs", [])
        ],
        "secrets": [
            {"source": secret["secretId"], "target": secret["fileName"], "uid": secret["fileUid"], "mode": 0o400}
            for secret in container.get("secrets", [])
        ],
        "ports": [
            {"target": int(port["targetPort"]), "published": int(port["publishedPort"]), "mode": "host"}
            for port in inputs["endpointSpec"].get("ports", [])
        ],
        "healthcheck": {
            "test": list(check["tests"]),
            "interval": check["interval"],
            "timeout": check["timeout"],
            "retries": int(check["retries"]),
            "start_period": check["startPeriod"],
        },
        "deploy": deploy,
        # A stack file's `command` would be appended to the image's own entrypoint, so the program is the entrypoint.
        **({"entrypoint": list(container["commands"])} if container.get("commands") else {}),
    }


def _mount(mount: Mapping[str, Any]) -> dict[str, Any]:
    match mount["type"]:
        case "tmpfs":
            return {
                "type": "tmpfs",
                "target": mount["target"],
                "tmpfs": {"size": int(mount["tmpfsOptions"]["sizeBytes"])},
            }
        case "bind":
            return {"type": "bind", "source": mount["source"], "target": mount["target"], "read_only": True}
        case _:
            return {
                "type": "volume",
                "source": mount["source"],
                "target": mount["target"],
                "volume": {"nocopy": True},
            }


def _command(name: str, create: str, stdin: str) -> str:
    script = f"cat >{name}.sh <<'END OF SCRIPT'\n{create.rstrip()}\nEND OF SCRIPT\n"
    return f"{script}sh {name}.sh <<'END OF INPUT'\n{stdin.rstrip()}\nEND OF INPUT"


def _escaped(value: Any) -> Any:  # noqa: ANN401 - any part of a stack file
    """Return the value with each dollar sign doubled, because a single one in a stack file begins a variable."""
    if isinstance(value, Mapping):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return value.replace("$", "$$") if isinstance(value, str) else value


def _by_id(resources: Sequence[Mapping[str, Any]], typ: str) -> dict[str, Any]:
    return {found["id"]: _unmarked(found["inputs"]) for found in resources if found["type"] == typ}


def _commands(resources: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and inputs of every command, remote or local, in the order in which they ran."""
    for found in resources:
        if found["type"].startswith("command:"):
            yield found["urn"].rpartition("::")[2], _unmarked(found["inputs"])


def _unmarked(value: Any) -> Any:  # noqa: ANN401 - any property's value
    """Return a value of a state that was exported with decrypted secrets, without the marks around the secrets."""
    if isinstance(value, Mapping):
        if _SECRET_MARK in value:
            return _unmarked(json.loads(value["plaintext"]))
        return {key: _unmarked(item) for key, item in value.items()}
    return [_unmarked(item) for item in value] if isinstance(value, list) else value
