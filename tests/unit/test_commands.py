"""The scripts that run on hosts get what they need, and running one twice changes nothing."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from components import commands, shell
from components.prometheus import delivery

SCRIPTS = {
    "init": commands.init_swarm(address="192.168.50.2", stack="lab"),
    "token": commands.print_join_token("worker"),
    "lock": commands.lock_swarm(),
    "stop locking": commands.stop_locking_swarm(),
    "join": commands.join_swarm(),
    "leave": commands.leave_swarm(),
    "leave etcd": commands.leave_etcd(member="etcd-master"),
    "forget etcd": commands.forget_etcd(lost="etcd-slave", member="etcd-master"),
    "forget node": commands.forget_node(host="slave"),
    "configure": commands.configure_node(node_id="n1", role="worker", labels={"disk": "ssd", "a b": "it's"}),
    "retire": commands.retire_node(node_id="n1", drain_timeout=600),
    "load firewall": commands.load_firewall(host="slave", image="x:1", rules="table inet t {\n}\n", gone=["10.0.0.4"]),
    "remove firewall": commands.remove_firewall(image="x:1"),
    "pull images": commands.pull_images(["y@sha256:0"]),
    "remove images": commands.remove_images(["localhost/x:1", "y@sha256:0"]),
    "remove repository": commands.remove_repository("localhost/x"),
    "remove superseded": commands.remove_superseded_images("localhost/x", "3"),
    "delete volume": commands.delete_volume(volume="prometheus-data"),
    "chown volume": commands.chown_volume(volume="prometheus-data", owner=65534, image="x@sha256:0"),
    "deliver": commands.deliver_prometheus_files(volume="v", image="x@sha256:0", owner=65534, service="prometheus"),
    "unpack": commands.unpack_prometheus_files("/etc/prometheus"),
    "create image folder": commands.create_image_folder(folder="/var/lib/docker/image", image="x@sha256:0"),
    "remove image folder": commands.remove_image_folder(folder="/var/lib/docker/image", image="x@sha256:0"),
    "create volume": commands.create_volume(volume="v", owner=65534, image="x@sha256:0"),
    "remove volume": commands.remove_volume(volume="it's"),
    "inspect": commands.inspect_services(["edge", "files"]),
    "unanswered": commands.print_unanswered(["http://192.168.50.2:5001/readyz", "http://192.168.50.3:5001/readyz"]),
    "logs": commands.last_log_lines("edge"),
}

FAKE_DOCKER = """#!/bin/sh
# A fake docker that keeps the swarm's state in files, and records every call that would change something.
state=$FAKE_STATE
call="$*"
case $call in
  "info --format {{.Swarm.LocalNodeState}}") cat "$state/node-state" ;;
  "info --format {{.Swarm.NodeID}}") echo n1 ;;
  "info --format {{json .Swarm.Cluster.Spec.Dispatcher.HeartbeatPeriod}}") cat "$state/heartbeat" ;;
  "swarm update --dispatcher-heartbeat "*)
    echo "${4%s}000000000" >"$state/heartbeat"; echo "$call" >>"$state/changes" ;;
  "swarm init "*) echo "$call" >>"$state/changes"; echo active >"$state/node-state" ;;
  "swarm leave "*) echo "$call" >>"$state/changes"; echo inactive >"$state/node-state" ;;
  "swarm update --autolock="*)
    if [ -s "$state/busy" ]; then
      sed -i 1d "$state/busy"; echo 'rpc error: code = Unknown desc = update out of sequence' >&2; exit 1
    fi
    echo "$call" >>"$state/changes" ;;
  "swarm unlock-key --quiet") echo SWMKEY-1 ;;
  "swarm join-token --quiet "*) echo "SWMTKN-$4" ;;
  "node update "*busy=yes*) # as long as the node changes by itself
    if [ -s "$state/busy" ]; then
      sed -i 1d "$state/busy"; echo 'rpc error: code = Unknown desc = update out of sequence' >&2; exit 1
    fi
    echo "$call" >>"$state/changes" ;;
  "node update --label-add swarm-transfer.cluster="*) echo lab >"$state/label"; echo "$call" >>"$state/changes" ;;
  "image rm localhost/x:2") echo 'conflict: in use by a running container' >&2; exit 1 ;;
  "node update "*|"node demote "*|"node rm "*|"image rm "*) echo "$call" >>"$state/changes" ;;
  "node inspect self --format {{index"*) cat "$state/label" ;;
  "node inspect self --format {{.ID}}") echo "${FAKE_SELF:-manager}" ;;
  "node inspect n1 --format {{range"*) printf 'disk\\nstale\\n' ;;
  "node inspect n1 --format {{if .ManagerStatus}}"*) # as long as it has a vote
    if [ -s "$state/votes" ]; then sed -i 1d "$state/votes"; echo manager; echo vote >>"$state/changes"; fi ;;
  "node inspect n1 --format {{.Status.State}}") echo "${FAKE_NODE:-ready}" ;;
  "node inspect n1") ! [ -e "$state/retired" ] ;;
  "node ls --quiet") printf 'n1\\nmanager\\n' ;;
  "node ps n1"*) [ -z "${FAKE_SILENCE:-}" ] || exit 1; echo 'Shutdown 1 second ago' ;;
  "node ls --quiet --filter node.label=swarm-transfer.host=slave") echo n1 ;;
  "network rm docker_gwbridge") exit 1 ;;
  "volume inspect prometheus-data") ! grep -q "volume rm" "$state/changes" 2>/dev/null ;;
  "volume rm prometheus-data")
    if [ -s "$state/ended" ]; then echo 'volume is in use' >&2; exit 1; fi
    echo "$call" >>"$state/changes" ;;
  "ps --all --quiet --filter ancestor="*|"ps --all --quiet --filter volume="*) cat "$state/ended" ;;
  "rm "*)
    if [ -s "$state/busy" ]; then
      sed -i 1d "$state/busy"; echo 'removal of container c1 is already in progress' >&2; exit 1
    fi
    : >"$state/ended"; echo "$call" >>"$state/changes" ;;
  "ps --quiet --filter label=com.docker.swarm.service.name=etcd-master") cat "$state/etcd" ;;
  "exec c1 sh /opt/postgres/forget_etcd.sh etcd-slave") # refused as often as `busy` has lines
    echo "$call" >>"$state/changes"; if [ -s "$state/busy" ]; then sed -i 1d "$state/busy"; exit 1; fi ;;
  "exec c"*" sh /opt/postgres/leave_etcd.sh etcd-master") # c1 ends meanwhile, and Swarm starts c2; c3 never leaves
    echo "$call" >>"$state/changes"; case $2 in c1) echo c2 >"$state/etcd"; exit 137 ;; c3) exit 1 ;; esac ;;
  "image ls --all --digests localhost/x --format {{.Repository}}{{if eq .Tag "*)
    printf 'localhost/x%s\n' :1 :2 :3 @sha256:0 ;; # the last one was pulled by its digest
  "image inspect "*) ! grep -q "image rm $3" "$state/changes" 2>/dev/null ;;
  *) echo "unexpected: docker $call" >&2; exit 64 ;;
esac
"""


class Host:
    """A host with the fake docker: it runs scripts and lists what they changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        programs = folder / "bin"
        programs.mkdir()
        for name, text in (
            ("docker", FAKE_DOCKER),
            (
                "curl",
                (
                    '#!/bin/sh\necho "curl $*" >>"$FAKE_STATE/changes"\ncat >"$FAKE_STATE/body"\n'
                    'echo active >"$FAKE_STATE/node-state"\n'
                ),
            ),
            ("sleep", "#!/bin/sh\n"),
        ):
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        (folder / "node-state").write_text("inactive\n")
        (folder / "label").write_text("\n")
        (folder / "heartbeat").write_text("5000000000\n")
        (folder / "ended").write_text("")
        (folder / "etcd").write_text("")

    def run(self, script: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        known = {"PATH": f"{self._folder / 'bin'}:{os.environ['PATH']}", "FAKE_STATE": str(self._folder)}
        return subprocess.run(
            ["sh", "-c", script], input=stdin, env={**known, **environment}, capture_output=True, text=True, check=False
        )

    def set(self, name: str, text: str) -> None:
        (self._folder / name).write_text(text)

    @property
    def body(self) -> str:
        return (self._folder / "body").read_text()

    @property
    def changes(self) -> list[str]:
        path = self._folder / "changes"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_the_script_gets_the_variables_that_it_uses_and_no_others(script: str) -> None:
    assert set(re.findall(r"\$\{?([A-Z_]+)", script)) == set(re.findall(r"^([A-Z_]+)=", script, re.MULTILINE))


def test_variables_and_arguments_are_what_they_were_whatever_they_contain(tmp_path: Path) -> None:
    strange = ["it's", "a b", '$HOME "`id`"', "two\nlines", "-n", ""]
    (tmp_path / "show.sh").write_text('printf \'%s\\0\' "$VALUE" "$@"\n')

    for value in strange:
        script = shell.render("show", arguments=tuple(strange), VALUE=value, folder=tmp_path)
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
        assert done.stdout.split("\0")[:-1] == [value, *strange]


def test_init_creates_the_swarm_once_and_prints_the_node_id(host: Host) -> None:
    first = host.run(SCRIPTS["init"])
    made = host.changes
    second = host.run(SCRIPTS["init"])

    assert (first.returncode, first.stdout) == (second.returncode, second.stdout) == (0, "n1\n")
    assert re.findall(r"--(\S+)-addr 192\.168\.50\.2\b", made[0]) == ["advertise", "listen", "data-path"]
    assert len(made) == 2
    assert host.changes == made


def test_nodes_of_a_patient_swarm_may_report_later_and_the_time_is_set_once(host: Host) -> None:
    script = commands.init_swarm(address="192.168.50.2", stack="lab", patience=20)

    for _ in range(2):
        assert host.run(script).stdout == "n1\n"
    assert [change for change in host.changes if "heartbeat" in change] == ["swarm update --dispatcher-heartbeat 100s"]

    host.run(SCRIPTS["init"])
    assert host.changes[-1] == "swarm update --dispatcher-heartbeat 5s"


def test_init_refuses_another_stacks_swarm(host: Host) -> None:
    host.set("node-state", "active\n")
    host.set("label", "another\n")

    done = host.run(SCRIPTS["init"])

    assert done.returncode == 1
    assert "another swarm" in done.stderr
    assert host.changes == []


def test_join_sends_the_request_once_and_keeps_the_token_out_of_arguments(host: Host) -> None:
    request = commands.join_request(address="192.168.50.3", manager_address="192.168.50.2", token="SWMTKN-secret")

    first = host.run(SCRIPTS["join"], stdin=request)
    second = host.run(SCRIPTS["join"], stdin=request)

    assert (first.stdout, second.stdout) == ("n1\n", "n1\n")
    assert json.loads(host.body)["JoinToken"] == "SWMTKN-secret"
    assert len(host.changes) == 1
    assert "SWMTKN" not in host.changes[0]


def test_leaving_twice_leaves_once(host: Host) -> None:
    host.set("node-state", "active\n")

    assert host.run(SCRIPTS["leave"]).returncode == 0
    assert host.run(SCRIPTS["leave"]).returncode == 0
    assert host.changes == ["swarm leave --force"]


@pytest.mark.parametrize(
    ("container", "asked"),
    [
        ("", []),
        ("c2", ["c2"]),
        ("c1", ["c1", "c2"]),  # its own removal ended the container and the script in it
    ],
)
def test_a_member_of_etcd_leaves_even_if_its_container_ends_meanwhile(
    host: Host, container: str, asked: list[str]
) -> None:
    host.set("etcd", f"{container}\n" if container else "")

    assert host.run(SCRIPTS["leave etcd"]).returncode == 0
    assert [change.split()[1] for change in host.changes] == asked


def test_a_member_of_etcd_that_cannot_leave_is_an_error(host: Host) -> None:
    host.set("etcd", "c3\n")

    assert host.run(SCRIPTS["leave etcd"]).returncode == 1


@pytest.mark.parametrize("role", ["worker", "manager"])
def test_the_join_token_is_that_of_the_role(host: Host, role: str) -> None:
    assert host.run(commands.print_join_token(role)).stdout == f"SWMTKN-{role}\n"


def test_locking_prints_the_key_and_nothing_else(host: Host) -> None:
    host.set("busy", "once more\n")

    assert host.run(SCRIPTS["lock"]).stdout == "SWMKEY-1\n"
    assert host.run(SCRIPTS["stop locking"]).stdout == ""
    assert host.changes == ["swarm update --autolock=true", "swarm update --autolock=false"]


def test_a_node_gets_exactly_the_given_labels(host: Host) -> None:
    assert host.run(SCRIPTS["configure"]).returncode == 0

    (change,) = host.changes
    assert "--availability active --role worker" in change
    assert "--label-rm stale" in change
    assert "--label-rm disk" not in change
    assert "--label-add disk=ssd" in change
    assert "--label-add a b=it's" in change


@pytest.mark.parametrize(("refusals", "succeeds"), [(3, True), (100, False)])
def test_a_node_that_changes_by_itself_is_changed_again(host: Host, refusals: int, succeeds: bool) -> None:
    host.set("busy", "once more\n" * refusals)

    done = host.run(commands.configure_node(node_id="n1", role="worker", labels={"busy": "yes"}))

    assert (done.returncode == 0) is succeeds
    assert len(host.changes) == int(succeeds)


def test_a_node_is_drained_before_it_is_removed(host: Host) -> None:
    assert host.run(SCRIPTS["retire"]).returncode == 0

    assert host.changes == ["node update --availability drain n1", "node demote n1", "node rm --force n1"]


def test_retiring_a_node_that_is_gone_changes_nothing(host: Host) -> None:
    host.set("retired", "")

    assert host.run(SCRIPTS["retire"]).returncode == 0
    assert host.changes == []


def test_the_manager_that_runs_the_script_does_not_retire_itself(host: Host) -> None:
    done = host.run(SCRIPTS["retire"], FAKE_SELF="n1")

    assert done.returncode == 1
    assert "put another manager first" in done.stderr
    assert host.changes == []


def test_images_are_removed_once(host: Host) -> None:
    script = commands.remove_images(["localhost/x:1"])

    assert host.run(script).returncode == 0
    assert host.run(script).returncode == 0
    assert host.changes == ["image rm localhost/x:1"]


def test_containers_of_ended_tasks_are_removed_with_their_image(host: Host) -> None:
    host.set("ended", "c1\nc2\n")

    assert host.run(commands.remove_images(["localhost/x:1"])).returncode == 0
    assert host.changes == ["rm c1 c2", "image rm localhost/x:1"]


def test_a_volume_is_removed_with_the_containers_of_ended_tasks(host: Host) -> None:
    host.set("ended", "c1\nc2\n")

    assert host.run(SCRIPTS["delete volume"]).returncode == 0
    assert host.changes == ["rm c1 c2", "volume rm prometheus-data"]

    assert host.run(SCRIPTS["delete volume"]).returncode == 0
    assert host.changes == ["rm c1 c2", "volume rm prometheus-data"], "there is nothing left to do"


def test_a_container_that_is_being_removed_meanwhile_does_not_matter(host: Host) -> None:
    host.set("ended", "c1\n")
    host.set("busy", "once\n")

    assert host.run(SCRIPTS["delete volume"]).returncode == 0
    assert host.changes == ["rm c1", "volume rm prometheus-data"]


def test_a_volume_that_stays_in_use_is_an_error(host: Host) -> None:
    host.set("ended", "c1\n")
    host.set("busy", "always\n" * 100)

    done = host.run(SCRIPTS["delete volume"])

    assert done.returncode == 1
    assert done.stderr == "volume is in use\n"


def test_the_node_of_a_host_that_is_gone_is_removed_from_the_swarm(host: Host) -> None:
    assert host.run(SCRIPTS["forget node"]).returncode == 0
    assert host.changes == ["node demote n1", "node rm --force n1"]


@pytest.mark.parametrize(
    ("script", "first"), [("forget node", "demote"), ("retire", "demote"), ("configure", "update")]
)
def test_a_manager_has_no_vote_any_more_before_anything_else_happens(host: Host, script: str, first: str) -> None:
    host.set("votes", "once\ntwice\n")

    assert host.run(SCRIPTS[script]).returncode == 0

    changes = [change.split(" --")[0] for change in host.changes]
    demoted = max(number for number, change in enumerate(changes) if change.startswith(f"node {first}"))
    assert changes[demoted + 1 :] == ["vote", "vote", *(["node rm"] if first == "demote" else [])]


def test_a_node_whose_tasks_nobody_tells_is_not_taken_for_drained(host: Host) -> None:
    assert host.run(SCRIPTS["retire"], FAKE_SILENCE="yes").returncode == 1

    assert host.changes == ["node update --availability drain n1"]


def test_a_manager_that_keeps_its_vote_stays_in_the_swarm(host: Host) -> None:
    host.set("votes", "always\n" * 100)

    done = host.run(SCRIPTS["retire"])

    assert done.returncode == 1
    assert done.stderr == "node n1 is still a manager: are the other managers up?\n"
    assert not [change for change in host.changes if change.startswith("node rm")]


def test_a_lost_member_is_taken_out_of_etcd_through_another_which_may_refuse_for_a_while(host: Host) -> None:
    host.set("etcd", "c1\n")
    host.set("busy", "once\n")

    assert host.run(SCRIPTS["forget etcd"]).returncode == 0
    assert host.changes == ["exec c1 sh /opt/postgres/forget_etcd.sh etcd-slave"] * 2


def test_all_images_but_the_current_one_and_those_in_use_are_removed(host: Host) -> None:
    assert host.run(SCRIPTS["remove superseded"]).returncode == 0
    assert host.changes == ["image rm localhost/x:1", "image rm localhost/x@sha256:0"]


def test_an_image_that_stays_in_use_is_a_one_line_error(host: Host) -> None:
    done = host.run(SCRIPTS["remove repository"])

    assert done.returncode == 1
    assert done.stderr == "conflict: in use by a running container\n"


@pytest.fixture
def deliver(tmp_path: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """A function that delivers files to Prometheus's folder, with a promtool that rejects files with "refuse me"."""
    promtool = tmp_path / "bin" / "promtool"
    promtool.parent.mkdir()
    promtool.write_text('#!/bin/sh\n! grep -rq "refuse me" "$(dirname "$3")"\n')
    promtool.chmod(0o755)
    folder = tmp_path / "prometheus"
    folder.mkdir()
    script = commands.unpack_prometheus_files(str(folder))
    environment = {"PATH": f"{promtool.parent}:{os.environ['PATH']}"}
    return lambda files: subprocess.run(
        ["sh", "-c", script], input=files, env=environment, capture_output=True, text=True, check=False
    )


def delivered(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_delivered_files_replace_all_earlier_ones(
    deliver: Callable[[str], subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    files = {"prometheus.yml": "a: 1\n# b\n", "rules/x.yml": "groups: []\n", "alerts/y.yml": "==> no heading\n"}
    assert deliver(delivery({"prometheus.yml": "old: 1\n", "rules/gone.yml": "old: 2\n"})).returncode == 0

    assert deliver(delivery(files)).returncode == 0

    assert delivered(tmp_path / "prometheus") == {f"live/{path}": content for path, content in files.items()}


def test_files_that_promtool_rejects_leave_the_earlier_ones_in_place(
    deliver: Callable[[str], subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    deliver(delivery({"prometheus.yml": "good: 1\n"}))

    assert deliver(delivery({"prometheus.yml": "refuse me\n"})).returncode != 0

    assert delivered(tmp_path / "prometheus")["live/prometheus.yml"] == "good: 1\n"


def test_a_delivery_repairs_an_earlier_one_that_was_interrupted(
    deliver: Callable[[str], subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    deliver(delivery({"prometheus.yml": "good: 1\n"}))
    (tmp_path / "prometheus" / "live").rename(tmp_path / "prometheus" / "old")

    assert deliver(delivery({"prometheus.yml": "better: 1\n"})).returncode == 0

    assert delivered(tmp_path / "prometheus") == {"live/prometheus.yml": "better: 1\n"}
