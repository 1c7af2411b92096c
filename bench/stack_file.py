"""What the program has deployed, as others would write it: a stack file, its files, and the commands that go before."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

_SECRET_MARK = "4dabf18193072939515e22adb298388d"


def stack_file(resources: Sequence[Mapping[str, Any]], image: str) -> tuple[str, dict[str, str]]:
    """The services among a state's resources as a stack file, and the files that it names.

    Where a service's image is our own, it is `image`.
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
    volumes = _by_id(resources, "docker:index/volume:Volume")
    document = {
        "version": "3.8",
        "services": services,
        "networks": {
            found["name"]: {
                "name": found["name"],
                "driver": "overlay",
                "internal": found.get("internal", False),
                "ipam": {"config": [{"subnet": found["ipamConfigs"][0]["subnet"]}]},
            }
            for found in networks.values()
        },
        "volumes": {found["name"]: {"external": True} for found in volumes.values()},
        "configs": {key: {"file": f"config-{key}"} for key in configs},
        "secrets": {key: {"file": f"secret-{key}"} for key in secrets},
    }
    return yaml.safe_dump(document), files


def preparations(resources: Sequence[Mapping[str, Any]]) -> str:
    """A script that makes the volumes and fills them, with the very commands that the program runs."""
    volumes = _by_id(resources, "docker:index/volume:Volume")
    lines = [f"docker volume create {found['name']} >/dev/null" for found in volumes.values()]
    for name, inputs in _by_name(resources, "command:remote:Command").items():
        if name.endswith("-owner"):
            lines.append(inputs["create"])
        elif name == "prometheus-files":
            lines.append(
                f"cat > deliver.sh <<'END'\n{inputs['create']}\nEND\nsh deliver.sh <<'END'\n{inputs['stdin']}END"
            )
    return "\n".join(lines)


def _service(inputs: Mapping[str, Any], networks: Mapping[str, Any], image: str) -> dict[str, Any]:
    task = inputs["taskSpec"]
    container = task["containerSpec"]
    check = container["healthcheck"]
    limits, reserved = task["resources"]["limits"], task["resources"]["reservation"]
    replicated = inputs["mode"].get("replicated")
    deploy = {
        "endpoint_mode": "dnsrr",
        "placement": {"constraints": _plain(task.get("placement", {}).get("constraints", []))},
        "resources": {
            "limits": {"cpus": str(limits["nanoCpus"] / 1e9), "memory": str(int(limits["memoryBytes"]))},
            "reservations": {"cpus": str(reserved["nanoCpus"] / 1e9), "memory": str(int(reserved["memoryBytes"]))},
        },
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
        **({"command": list(container["commands"])} if container.get("commands") else {}),
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


def _by_id(resources: Sequence[Mapping[str, Any]], typ: str) -> dict[str, Any]:
    return {found["id"]: _plain(found["outputs"]) for found in resources if found["type"].endswith(typ)}


def _by_name(resources: Sequence[Mapping[str, Any]], typ: str) -> dict[str, Any]:
    found = [resource for resource in resources if resource["type"].endswith(typ)]
    return {resource["urn"].rpartition("::")[2]: _plain(resource["inputs"]) for resource in found}


def _plain(value: Any) -> Any:  # noqa: ANN401 - any property's value
    """A value of an exported state, its secrets laid open."""
    if isinstance(value, Mapping):
        if _SECRET_MARK in value:
            return _plain(json.loads(value["plaintext"]))
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
