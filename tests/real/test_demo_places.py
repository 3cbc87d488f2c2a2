"""Where the demo's database lives when root starts it, and what it refuses to use."""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from opsconsole.demo import accounts, places
from opsconsole.demo.accounts import reachable, server_account
from opsconsole.demo.binaries import find_programs
from opsconsole.demo.cluster import open_cluster
from opsconsole.demo.errors import DemoError
from opsconsole.demo.places import choose_home
from support.postgres import open_directory

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only for root is PostgreSQL run as another account")


@pytest.fixture
def open_place() -> Iterator[Path]:
    """Make a directory that the server's account can enter."""
    with open_directory() as directory:
        yield directory


@pytest.fixture
def closed_place(open_place: Path) -> Path:
    """Make a directory that only we can enter, as /root is only root's."""
    closed = open_place / "closed"
    closed.mkdir(mode=0o700)
    return closed


@pytest.fixture(autouse=True)
def fallback(open_place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the fallback place into the test's directory: no test here may leave anything in /var/lib."""
    base = open_place / "var-lib"
    base.mkdir()
    base.chmod(0o755)
    monkeypatch.setattr(places, "FALLBACK_BASES", (base,))
    return base


@root_only
def test_root_in_a_closed_directory_falls_back(closed_place: Path, fallback: Path) -> None:
    """With its state in /root, the demo runs elsewhere and says where; /root stays as closed as it was."""
    before = {path: path.stat().st_mode for path in (closed_place, *closed_place.parents)}
    state = closed_place / "state" / "demo"
    with open_cluster(state) as cluster:
        assert cluster.run_script("SELECT 1", "postgres") == "1\n"
        assert cluster.directory.is_relative_to(fallback / "opsconsole-demo")
        assert [str(cluster.directory) in notice for notice in cluster.notices] == [True]
        assert "'nobody' cannot enter" in cluster.notices[0]
        first = cluster.directory
    assert {path: path.stat().st_mode for path in before} == before
    assert not list(state.iterdir())
    assert (fallback / "opsconsole-demo").stat().st_mode & 0o777 == 0o711
    with open_cluster(state) as again, open_cluster(closed_place / "another") as other:
        assert again.directory == first
        assert other.directory != first


@root_only
def test_root_in_an_open_directory_stays_there(open_place: Path, fallback: Path) -> None:
    """Where the server's account can be, the files are where they were asked for, and the notice says as whom."""
    with open_cluster(open_place / "demo") as cluster:
        assert cluster.directory == (open_place / "demo" / "postgresql").resolve()
        assert "runs as 'nobody'" in cluster.notices[0]
        assert not list(fallback.iterdir())


@root_only
def test_a_fallback_of_somebody_elses_is_refused(closed_place: Path, fallback: Path) -> None:
    """A place that another account has prepared, in the hope that root uses it, is not used."""
    trap = fallback / "opsconsole-demo"
    trap.mkdir()
    os.chown(trap, server_account().uid, server_account().gid)
    with pytest.raises(DemoError, match="belongs to, or can be written by, somebody else"):
        choose_home(closed_place, server_account())
    trap.rmdir()
    trap.symlink_to(closed_place)
    with pytest.raises(DemoError, match="opsconsole-demo is no directory"):
        choose_home(closed_place, server_account())


@root_only
def test_programs_out_of_reach_are_copied_once(open_place: Path, closed_place: Path, fallback: Path) -> None:
    """With the virtual environment in /root, the server's programs are copied into the demo's own directory."""
    package = find_programs().postgres.parents[2]
    site = closed_place / "site-packages"
    installation = find_programs().postgres.parents[1]
    ignored = shutil.ignore_patterns("include", "*.a", "pgxs")
    shutil.copytree(installation, site / package.name / installation.name, ignore=ignored)
    shutil.copytree(package.with_name(f"{package.name}.libs"), site / f"{package.name}.libs")
    programs = site / package.name / installation.name / "bin"
    assert not reachable(programs, server_account())
    directory = open_place / "demo"
    directory.mkdir()
    directory.chmod(0o755)
    copied = []
    for umask in (0o077, 0o022):
        earlier = os.umask(umask)
        try:
            with open_cluster(directory, binaries=programs) as cluster:
                assert cluster.run_script("SELECT 1", "postgres") == "1\n"
                assert cluster.server_pid is not None
                running = Path(psutil.Process(cluster.server_pid).exe())
                assert running.is_relative_to(cluster.directory)
                assert running.stat().st_uid == 0
                copied.append(running.stat().st_ino)
        finally:
            os.umask(earlier)
    assert copied[0] == copied[1]
    assert not list(fallback.iterdir())
    assert closed_place.stat().st_mode & 0o777 == 0o700


def test_a_home_that_others_can_write_is_refused(open_place: Path) -> None:
    """A directory in which others could plant files is not used for a database, and not repaired either."""
    home = open_place / "postgresql"
    home.mkdir()
    home.chmod(0o777)
    with pytest.raises(DemoError, match="can be written by, somebody else"), open_cluster(open_place):
        pytest.fail("the cluster was opened")
    assert stat.S_IMODE(home.stat().st_mode) == 0o777


def test_a_home_that_is_a_link_is_refused(open_place: Path) -> None:
    """A link in the place of the demo's own directory is not followed."""
    (open_place / "elsewhere").mkdir()
    (open_place / "postgresql").symlink_to(open_place / "elsewhere")
    with pytest.raises(DemoError, match="is no directory"), open_cluster(open_place):
        pytest.fail("the cluster was opened")


@root_only
def test_a_host_without_the_account_is_told(open_place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no `nobody`, root is told to start the demo as an ordinary user."""
    monkeypatch.setattr(accounts, "UNPRIVILEGED", "no-such-account")
    with pytest.raises(DemoError, match="no account 'no-such-account'") as missing, open_cluster(open_place):
        pytest.fail("the cluster was opened")
    assert missing.value.hint == "start the demo as an ordinary user"


@root_only
def test_root_that_cannot_become_another_is_told(open_place: Path) -> None:
    """In a container whose root has no other account to become, the demo says that, and not a stack trace."""
    script = (
        "import sys; from pathlib import Path; from opsconsole.demo.cluster import open_cluster\n"
        "from opsconsole.demo.errors import DemoError\n"
        "try: open_cluster(Path(sys.argv[1])).__enter__()\n"
        "except DemoError as error: print(error)"
    )
    alone = ["unshare", "--user", "--map-root-user", sys.executable, "-c", script, str(open_place)]
    said = subprocess.run(alone, capture_output=True, text=True, timeout=20, check=False)
    if "unshare failed" in said.stderr:
        pytest.skip("this host allows no user namespaces")
    assert "root cannot act as 'nobody' here: Invalid argument" in said.stdout, said.stderr
