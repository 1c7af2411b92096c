"""The index moves to another major version of PostgreSQL only when it was told to, and loses nothing on the way."""

import os
import subprocess
from collections.abc import Mapping
from itertools import count
from pathlib import Path

import pytest

from components import patroni
from components.shell import variables_and_arguments
from components.ssh import SshError, SshTarget
from operations import upgrade_index
from operations.health import Swarm
from operations.stack import ConfiguredHosts, OperationError
from settings.models import Host

ROOT = Path(__file__).parent.parent.parent
SCRIPTS = ROOT / "services/postgres"
OLD, NEW = 17, 18

COUNTED = ("cp", "mv", "rm", "sync")
"""The programs by which fit_data.sh changes files. Each counts its calls, and kills the script before one of them."""


class Machine:
    """A host with the index: its data, and programs that stand in for PostgreSQL's and for etcd."""

    def __init__(self, folder: Path) -> None:
        self.root, self.programs = folder / "postgresql", folder / "programs"
        self.data = self.root / "data"
        self.programs.mkdir()
        self.peers: dict[str, str] = {}
        self.etcd = folder / "initialize"
        self.etcd.write_text("")
        self.closed = folder / "closed"
        self.closed.write_text("the mark\n")
        (folder / "shared.json").write_text(patroni.shared_config(standbys=1, connections=30))
        (folder / "shared.json").chmod(0o444)  # as Docker mounts it
        self._folder = folder
        self.program("etcdctl", f'case "$*" in *initialize) cat {self.etcd} ;; *closed) cat {self.closed} ;; esac')
        self.program("wget", f"for url; do :; done\nhost=${{url#https://}}\ncat {folder}/${{host%%:*}}; exit 8")
        self.program(
            "new_database.sh",
            'mkdir -p "$2/global" && echo "$POSTGRES_MAJOR" >"$2/PG_VERSION" && : >"$2/global/pg_control"',
        )
        self.program("set_roles.sh", "exit 0")
        self.program("pg_ctl", 'echo "$*" >>"$2/calls"')
        self.program("pg_restore", f"for dump; do :; done\ncp $dump {self.root}/data.part/rows")
        self.program("vacuumdb", "exit 0")
        for name in COUNTED:
            self.program(
                name,
                f"echo x >>{folder}/calls\n"
                f'if [ "$(wc -l <{folder}/calls)" = "$KILL_AT" ]; then kill -9 $PPID; exit 1; fi\n'
                f'exec /bin/{name} "$@"',
            )

    def program(self, name: str, text: str) -> None:
        (self.programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.programs / name).chmod(0o755)

    def has_data(self, version: int, rows: str, *, dump: str = "") -> None:
        self.data.mkdir(parents=True)
        (self.data / "PG_VERSION").write_text(f"{version}\n")
        (self.data / "rows").write_text(rows)
        (self.data / "global").mkdir()
        (self.data / "global/pg_control").touch()
        if dump:
            (self.data / "index.dump").write_text(dump)
            (self.data / "index.mark").write_text("the mark\n")

    def start(self, version: int, *, kill_at: int = 0) -> subprocess.CompletedProcess[str]:
        """Start the image with this version, and kill its script before this call, from 1, of a program."""
        for peer, answer in self.peers.items():
            (self._folder / peer).write_text(answer)
        (self._folder / "patroni.yml").write_text(f"scope: {patroni.scope(version)}\n")
        (self._folder / "calls").unlink(missing_ok=True)
        replaced = {
            "/var/lib/postgresql": self.root,
            "/usr/lib/postgresql/$POSTGRES_MAJOR/bin": self.programs,
            "/opt/postgres/patroni_etcd.sh": self._folder / "patroni_etcd.sh",
            "/opt/postgres/peers.sh": SCRIPTS / "peers.sh",
            "/opt/postgres": self.programs,
            "/etc/patroni": self._folder,
        }
        for name in ("patroni_etcd.sh", "fit_data.sh"):
            text = (SCRIPTS / name).read_text()
            for path, instead in replaced.items():
                text = text.replace(path, str(instead))
            (self._folder / name).write_text(text)
        environment = {
            "PATH": f"{self.programs}:/usr/bin:/bin",
            "POSTGRES_MAJOR": str(version),
            "POSTGRES_PEERS": " ".join(self.peers),
            "KILL_AT": str(kill_at),
        }
        script = ["sh", str(self._folder / "fit_data.sh")]
        return subprocess.run(script, capture_output=True, text=True, env=environment, check=False)

    def content(self) -> dict[str, str]:
        """Return all files of the volume, by their paths."""
        files = (path for path in self.root.rglob("*") if path.is_file())
        return {str(path.relative_to(self.root)): path.read_text() for path in files}

    def rows(self, folder: str = "data") -> tuple[str, str]:
        """Return the version of the data in this folder, and its rows."""
        return (self.root / folder / "PG_VERSION").read_text().strip(), (self.root / folder / "rows").read_text()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def in_cluster(version: int, role: str) -> str:
    """Return what Patroni says of itself."""
    return f'{{"role": "{role}", "patroni": {{"version": "4.0.7", "scope": "{patroni.scope(version)}"}}}}'


@pytest.mark.parametrize(
    ("data", "image", "remedy"),
    [
        (OLD, NEW, "Run `python -m operations.upgrade_index`, and then `pulumi up` again"),
        (NEW, OLD, "Run the release with PostgreSQL 18"),
    ],
)
def test_data_of_another_version_is_refused_and_left_as_it_is(
    machine: Machine, data: int, image: int, remedy: str
) -> None:
    machine.has_data(data, "all rows")
    machine.peers = {"postgres-b": in_cluster(data, "primary")}
    before = machine.content()

    done = machine.start(image)

    assert done.returncode == 1
    assert f"has the data of PostgreSQL {data}, and this image has PostgreSQL {image}." in done.stderr
    assert remedy in done.stderr
    assert done.stderr.count("\n") == 1
    assert machine.content() == before
    assert machine.start(data).returncode == 0
    assert machine.content() == before


def test_a_dump_is_not_used_by_an_image_with_an_earlier_version(machine: Machine) -> None:
    machine.has_data(NEW, "all rows", dump="all rows")

    assert machine.start(OLD).returncode == 1
    assert machine.rows() == (str(NEW), "all rows")


def test_the_same_version_and_no_data_are_left_to_patroni(machine: Machine) -> None:
    assert machine.start(NEW).returncode == 0
    machine.has_data(NEW, "all rows", dump="for the next version")
    before = machine.content()

    assert machine.start(NEW).returncode == 0
    assert machine.content() == before


def test_new_data_is_made_from_the_dump_and_the_old_data_is_kept(machine: Machine) -> None:
    machine.has_data(OLD, "all rows", dump="dumped rows")
    machine.peers = {"postgres-b": in_cluster(OLD, "primary"), "postgres-c": in_cluster(NEW, "uninitialized")}

    done = machine.start(NEW)

    assert done.returncode == 0, done.stderr
    assert machine.rows() == (str(NEW), "dumped rows")
    assert machine.rows(f"data-{OLD}") == (str(OLD), "all rows")
    assert not (machine.data / "index.dump").exists(), "the next upgrade must not find it"


def test_new_data_begins_with_the_settings_that_all_hosts_share(machine: Machine) -> None:
    """Patroni's own defaults would not wait for a standby."""
    machine.has_data(OLD, "all rows", dump="dumped rows")
    machine.start(NEW)

    shared = patroni.shared_config(standbys=1, connections=30)
    assert (machine.data / "patroni.dynamic.json").read_text() == shared
    assert (machine.data / "patroni.dynamic.json").stat().st_mode & 0o200, "pg_rewind writes it"
    started = (machine.data / "calls").read_text()
    for option in ("max_connections=46", "max_worker_processes=2", "shared_buffers=24MB", "listen_addresses= "):
        assert f"-c {option}" in started


@pytest.mark.parametrize("dump", ["", "dumped rows"])
@pytest.mark.parametrize("told_by", ["etcd", "a host"])
def test_new_data_that_another_host_has_is_left_to_patroni_to_copy(machine: Machine, told_by: str, dump: str) -> None:
    machine.has_data(OLD, "all rows", dump=dump)
    if told_by == "etcd":
        machine.etcd.write_text("7713816545437418052\n")
    else:
        machine.peers = {"postgres-a": in_cluster(NEW, "replica")}

    assert machine.start(NEW).returncode == 0
    assert not machine.data.exists()
    assert machine.rows(f"data-{OLD}") == (str(OLD), "all rows")
    assert machine.start(NEW).returncode == 0
    assert not machine.data.exists(), "Patroni has not copied it yet"


@pytest.mark.parametrize(("closed", "of_dump"), [("", "the mark\n"), ("a later mark\n", "the mark\n"), ("", "")])
def test_a_dump_of_an_index_that_has_been_opened_since_is_not_used(machine: Machine, closed: str, of_dump: str) -> None:
    machine.has_data(OLD, "all rows", dump="rows of an earlier time")
    (machine.data / "index.mark").write_text(of_dump)
    machine.closed.write_text(closed)

    assert "Run `python -m operations.upgrade_index`" in machine.start(NEW).stderr
    assert machine.rows() == (str(OLD), "all rows")


def test_a_host_that_does_not_answer_yet_is_waited_for(machine: Machine) -> None:
    """It may be the one that has the new data."""
    machine.has_data(OLD, "all rows", dump="rows")
    machine.peers = {"postgres-a": ""}
    machine.program("sleep", f"echo '{in_cluster(NEW, 'primary')}' >{machine.root.parent}/postgres-a")

    done = machine.start(NEW)

    assert "waiting for postgres-a" in done.stderr
    assert not machine.data.exists(), "Patroni copies it"


@pytest.mark.parametrize(("then", "rows"), [(NEW, None), (OLD, "all rows")])
def test_a_copy_of_new_data_that_was_killed_is_begun_anew_or_gives_way_to_the_old_data(
    machine: Machine, then: int, rows: str | None
) -> None:
    machine.has_data(OLD, "all rows", dump="rows")
    machine.etcd.write_text("7713816545437418052\n")
    assert machine.start(NEW).returncode == 0
    machine.has_data(NEW, "some rows")
    (machine.data / "global/pg_control").unlink()

    assert machine.start(then).returncode == 0

    assert (machine.rows()[1] if machine.data.exists() else None) == rows


@pytest.mark.parametrize("then", [NEW, OLD])
@pytest.mark.parametrize("is_first", [True, False], ids=["first host", "another host"])
def test_a_start_that_is_killed_goes_on_with_the_next_one_or_back_to_the_image_before(
    tmp_path: Path, *, then: int, is_first: bool
) -> None:
    for kill_at in count(1):
        folder = tmp_path / str(kill_at)
        folder.mkdir()
        machine = Machine(folder)
        machine.has_data(OLD, "all rows", dump="dumped rows")
        if not is_first:
            machine.etcd.write_text("7713816545437418052\n")
        killed = machine.start(NEW, kill_at=kill_at)
        if killed.returncode == 0:
            break

        done = machine.start(then)

        if then == OLD:
            assert done.returncode == 0, done.stderr
            assert machine.rows() == (str(OLD), "all rows")
            assert machine.start(NEW).returncode == 0
        assert machine.rows(f"data-{OLD}") == (str(OLD), "all rows")
        if is_first:
            assert machine.rows() == (str(NEW), "dumped rows")
        else:
            assert not machine.data.exists()
        assert not list(machine.root.glob("*.new"))
    assert kill_at > (6 if is_first else 2), "it was killed at every step"


def test_each_version_is_a_cluster_of_its_own_in_etcd() -> None:
    assert patroni.scope(17) == "file-transfer", "clusters with this name exist"
    assert patroni.scope(18) == "file-transfer-18"


@pytest.fixture
def configured(target: SshTarget, monkeypatch: pytest.MonkeyPatch) -> ConfiguredHosts:
    names = ("first", "a", "b")
    hosts = [Host(name=name, address=f"192.168.50.{n}", role="manager") for n, name in enumerate(names, 2)]
    services = [{"Spec": {"Name": name}} for name in ("files", "postgres-a", "postgres-b")]
    monkeypatch.setattr(upgrade_index.health, "look_at_any", lambda _: Swarm([], services, []))
    return ConfiguredHosts(hosts, dict.fromkeys(names, target))


class Index:
    """The hosts of an index, of which postgres-b is the primary."""

    def __init__(self, versions: Mapping[str, int], fails: str = "") -> None:
        self.calls: list[str] = []
        self.marks: set[str] = set()
        self._versions = versions
        self._fails = fails

    def ask(self, _: SshTarget, script: str, *, timeout: int) -> str:
        variables, (verb, *rest) = variables_and_arguments(script)
        service = variables["SERVICE"]
        self.calls.append(" ".join([verb, service]))
        self.marks.update(rest)
        assert timeout >= 600
        if self.calls[-1] == self._fails:
            raise SshError("it does not run")
        if verb == "version":
            return f"{self._versions[service]}\n"
        return {"close": "closed\n", "open": "open\n"}.get(verb, "") if service == "postgres-b" else ""


def index(monkeypatch: pytest.MonkeyPatch, *, a: int = OLD, b: int = OLD, fails: str = "") -> Index:
    made = Index({"postgres-a": a, "postgres-b": b}, fails)
    monkeypatch.setattr(upgrade_index, "ask", made.ask)
    monkeypatch.setattr(patroni, "MAJOR", NEW)
    return made


LOOKED = ["version postgres-a", "version postgres-b"]


def test_the_index_is_closed_before_any_host_writes_it_to_a_file(
    monkeypatch: pytest.MonkeyPatch, configured: ConfiguredHosts, capsys: pytest.CaptureFixture[str]
) -> None:
    made = index(monkeypatch)

    upgrade_index.prepare(upgrade_index.index_targets(configured))

    closed = ["close postgres-a", "close postgres-b"]
    forgotten = ["forget postgres-a", "forget postgres-b"]
    assert made.calls == [*LOOKED, *closed, *forgotten, "dump postgres-a", "dump postgres-b"]
    (mark,) = made.marks
    assert mark.startswith("closed at 2")
    assert "Now run `pulumi up`" in capsys.readouterr().out


def test_no_file_is_left_when_the_index_is_opened_again(
    monkeypatch: pytest.MonkeyPatch, configured: ConfiguredHosts
) -> None:
    made = index(monkeypatch)

    upgrade_index.undo(upgrade_index.index_targets(configured))

    closed, opened = ["close postgres-a", "close postgres-b"], ["open postgres-a", "open postgres-b"]
    assert made.calls == [*LOOKED, *closed, "forget postgres-a", "forget postgres-b", *opened]


@pytest.mark.parametrize("change", [upgrade_index.prepare, upgrade_index.undo])
def test_nothing_is_changed_once_a_host_has_the_new_version(
    monkeypatch: pytest.MonkeyPatch, configured: ConfiguredHosts, change: upgrade_index.Change
) -> None:
    made = index(monkeypatch, a=NEW)

    with pytest.raises(OperationError, match=r"postgres-a has 18, postgres-b has 17\. An upgrade has begun"):
        change(upgrade_index.index_targets(configured))
    assert made.calls == LOOKED


def test_an_index_that_has_the_version_is_not_closed(
    monkeypatch: pytest.MonkeyPatch, configured: ConfiguredHosts
) -> None:
    made = index(monkeypatch, a=NEW, b=NEW)

    with pytest.raises(OperationError, match="nothing to upgrade"):
        upgrade_index.prepare(upgrade_index.index_targets(configured))
    assert made.calls == LOOKED


def test_the_index_stays_closed_while_a_host_may_keep_its_file(
    monkeypatch: pytest.MonkeyPatch, configured: ConfiguredHosts
) -> None:
    made = index(monkeypatch, fails="forget postgres-b")

    with pytest.raises(OperationError, match="postgres-b: it does not run"):
        upgrade_index.undo(upgrade_index.index_targets(configured))
    assert not [call for call in made.calls if call.startswith("open")]


def test_an_index_without_a_primary_is_not_written_to_files(monkeypatch: pytest.MonkeyPatch, target: SshTarget) -> None:
    made = index(monkeypatch)

    with pytest.raises(OperationError, match="no primary"):
        upgrade_index.prepare({"postgres-a": target})
    assert made.calls == ["version postgres-a", "close postgres-a"]


def test_a_cluster_without_this_index_is_told_so(monkeypatch: pytest.MonkeyPatch, configured: ConfiguredHosts) -> None:
    monkeypatch.setattr(upgrade_index.health, "look_at_any", lambda _: Swarm([], [], []))

    with pytest.raises(OperationError, match="no index in PostgreSQL"):
        upgrade_index.index_targets(configured)


@pytest.mark.parametrize(("runs", "status"), [(True, 0), (False, 1)])
def test_the_script_runs_in_the_container_of_the_service(tmp_path: Path, *, runs: bool, status: int) -> None:
    found = "echo c1" if runs else ":"
    (tmp_path / "docker").write_text(f'#!/bin/sh\ncase $1 in ps) {found} ;; exec) shift; echo "$*" ;; esac\n')
    (tmp_path / "docker").chmod(0o755)
    script = upgrade_index.script("postgres-a", ["close", "a mark"])

    done = subprocess.run(
        ["sh", "-s"],
        input=script,
        capture_output=True,
        text=True,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        check=False,
    )

    assert done.returncode == status
    assert done.stdout == ("c1 /opt/postgres/index.sh close a mark\n" if runs else "")
    assert done.stderr == ("" if runs else "postgres-a does not run\n")
