"""Records as commits in a real git repository, whatever its settings, its owner's, and its neighbours say."""

import datetime as dt
import os
import subprocess
import threading
from pathlib import Path

import pytest

from opsconsole.anchors.git import GitAnchor
from opsconsole.contracts.anchor import AnchorError, Noted
from opsconsole.contracts.store import Head

STORE = "9d1c22f4-0000-4000-8000-0123456789ab"
FILES = {"README": b"read me\r\nwith\nmixed ends\r\n", "evidence/aa": b"\x00\xff bytes", "record.md": b"# record\n"}


def noted(seq: int = 7, what: str = "performed PASS by Jane Doe (jane), signed") -> Noted:
    """Return the head of a sign-off."""
    return Noted(
        store_id=STORE,
        store_location="/var/lib/opsconsole/opsconsole.db",
        head=Head(seq, f"{seq:02x}" * 32),
        run="morning@2026-11-21",
        what=what,
        at=dt.datetime(2026, 11, 21, 14, 5, tzinfo=dt.UTC),
    )


def asked(directory: Path, *arguments: str, check: bool = True) -> bytes:
    """Ask git about a repository."""
    done = subprocess.run(
        ["git", "-C", str(directory), *arguments],
        capture_output=True,
        timeout=30,
        check=check,
        env={"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"},
    )
    return done.stdout


def git(directory: Path, *arguments: str, check: bool = True) -> str:
    """Ask git about a repository, for text."""
    return asked(directory, *arguments, check=check).decode()


def own(directory: Path, *arguments: str) -> str:
    """Do something in a repository as its owner does."""
    identity = ["-c", "user.name=Owner", "-c", "user.email=owner@example.com"]
    return git(directory, *identity, *arguments)


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """Give an exported record."""
    directory = tmp_path / "record"
    for name, content in FILES.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return directory


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return where the repository is to be."""
    return tmp_path / "records"


def anchor(place: Path) -> GitAnchor:
    """Return the anchor of an operator."""
    return GitAnchor(place, author="Jane <evil@example.com> Doe\n(jane)", host="ops01")


def committed(place: Path, name: str) -> bytes:
    """Return the exact bytes of a committed file."""
    return asked(place, "cat-file", "blob", f"HEAD:{name}")


def test_a_repository_is_made_and_each_sign_off_is_a_commit(place: Path, record: Path) -> None:
    """Nothing but a path need be configured; a second signature of the run is a further commit beside the first."""
    mine = anchor(place)
    assert list(mine.kept()) == []
    mine.keep(noted(7), record)
    mine.keep(noted(9, "amended FAIL by Jane Doe (jane), signed"), record)
    for number in ("01", "02"):
        for name, content in FILES.items():
            assert committed(place, f"morning/2026-11-21/{number}/{name}") == content
            assert (place / "morning" / "2026-11-21" / number / name).read_bytes() == content
    assert git(place, "status", "--short") == ""
    assert set(git(place, "log", "--format=%an <%ae>").splitlines()) == {
        "Jane evil@example.com Doe\\x0a(jane) <opsconsole@ops01>"
    }
    assert git(place, "log", "--format=%s").splitlines() == [
        "morning@2026-11-21: amended FAIL by Jane Doe (jane), signed",
        "morning@2026-11-21: performed PASS by Jane Doe (jane), signed",
    ]
    newest, oldest = mine.kept()
    assert (newest.head, oldest.head) == (Head(9, "09" * 32), Head(7, "07" * 32))
    assert oldest.store_id == STORE
    assert oldest.store_location == "/var/lib/opsconsole/opsconsole.db"
    assert git(place, "rev-parse", "HEAD")[:12] in newest.where
    assert place.stat().st_mode & 0o077 == 0


def test_a_head_without_a_record(place: Path) -> None:
    """Where the record could not be exported, its head is committed all the same."""
    anchor(place).keep(noted(), None)
    assert [each.head.seq for each in anchor(place).kept()] == [7]


def test_settings_have_no_say(place: Path, record: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No hook runs, no filter or line ending changes a byte, no signature is asked for, no prompt hangs."""
    place.mkdir(mode=0o700)
    own(place, "init", "-q", "-b", "trunk")
    seen = tmp_path / "seen"
    for name in ("pre-commit", "commit-msg", "post-commit", "reference-transaction", "post-index-change"):
        hook = place / ".git" / "hooks" / name
        hook.write_text(f"#!/bin/sh\necho {name} >> {seen}\n")
        hook.chmod(0o755)
    for name, value in {
        "commit.gpgSign": "true",
        "gpg.program": "/bin/false",
        "core.autocrlf": "true",
        "filter.x.clean": f"sh -c 'touch {seen}; tr a b'",
        "core.fsmonitor": f"touch {seen}",
        "i18n.commitEncoding": "latin1",
        "log.showSignature": "true",
        "core.pager": f"touch {seen}",
    }.items():
        own(place, "config", name, value)
    (place / ".gitattributes").write_text("* text=auto eol=lf filter=x\n")
    (place / "own").write_text("the owner's own\n")
    own(place, "add", "own")
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text('[core]\n\thooksPath = /nonexistent\n[user]\n\tname = ""\n[broken\n')
    monkeypatch.setenv("HOME", str(home))
    for name, value in {"GIT_DIR": "/nonexistent", "GIT_INDEX_FILE": "/nonexistent", "GIT_EDITOR": "false"}.items():
        monkeypatch.setenv(name, value)
    seen.unlink(missing_ok=True)  # the owner's own commands run them
    anchor(place).keep(noted(what="performed PASS by Zoë"), record)
    assert [each.head.seq for each in anchor(place).kept()] == [7]
    assert not seen.exists()
    for name, content in FILES.items():
        assert committed(place, f"morning/2026-11-21/01/{name}") == content
    assert "own" not in git(place, "ls-tree", "-r", "--name-only", "HEAD")
    assert "A  own" in git(place, "-c", "core.fsmonitor=false", "status", "--short")
    assert git(place, "symbolic-ref", "HEAD") == "refs/heads/trunk\n"
    assert "Zoë" in git(place, "-c", "core.pager=cat", "-c", "i18n.logOutputEncoding=UTF-8", "log", "--format=%s")


def test_no_command_of_the_repository_fetches_what_is_missing(place: Path, record: Path, tmp_path: Path) -> None:
    """A repository that calls itself a partial clone names a command: it is not run, and what is lost is told."""
    for seq in (1, 2):
        anchor(place).keep(noted(seq), record)
    seen = tmp_path / "seen"
    for name, value in {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.url": str(tmp_path / "nowhere"),
        "remote.origin.promisor": "true",
        "remote.origin.uploadpack": f"touch {seen}; false",
    }.items():
        own(place, "config", name, value)
    first = git(place, "rev-parse", "HEAD~1").strip()
    (place / ".git" / "objects" / first[:2] / first[2:]).unlink()
    with pytest.raises(AnchorError):
        list(anchor(place).kept())
    assert not seen.exists()


@pytest.mark.parametrize("how", ["replace", "grafts", "shallow"])
def test_nothing_in_the_repository_hides_a_head(place: Path, record: Path, how: str) -> None:
    """Replaced, grafted and cut-off history looks whole to git, a remote's too; the heads are read anyway."""
    for seq in (1, 2):
        anchor(place).keep(noted(seq), record)
    head = git(place, "rev-parse", "HEAD").strip()
    if how == "replace":
        other = own(place, "commit-tree", "HEAD^{tree}", "-m", "nothing to see").strip()
        git(place, "replace", "-f", head, other)
    else:
        path = place / ".git" / ("info/grafts" if how == "grafts" else "shallow")
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{head}\n")
    assert git(place, "log", "--format=%s").count("performed") < 2
    assert [each.head.seq for each in anchor(place).kept()] == [2, 1]


def test_a_repository_with_a_history_and_a_remote(place: Path, record: Path, tmp_path: Path) -> None:
    """What was there stays; nothing is pushed; after a push by the owner, a rewritten branch shows what it was."""
    remote = tmp_path / "remote.git"
    own(tmp_path, "init", "-q", "--bare", str(remote))
    place.mkdir(mode=0o700)
    own(place, "init", "-q", "-b", "main")
    (place / "notes").write_text("before\n")
    own(place, "add", "notes")
    own(place, "commit", "-q", "-m", "before")
    own(place, "remote", "add", "origin", str(remote))
    anchor(place).keep(noted(7), record)
    anchor(place).keep(noted(9), record)
    assert git(remote, "for-each-ref") == ""
    assert git(place, "show", "HEAD:notes") == "before\n"
    own(place, "push", "-q", "-u", "origin", "main")
    own(place, "reset", "-q", "--hard", "HEAD~2")
    assert [each.head.seq for each in anchor(place).kept()] == [9, 7]
    anchor(place).keep(noted(11), None)
    assert sorted(each.head.seq for each in anchor(place).kept()) == [7, 9, 11]


def test_a_bare_repository(place: Path, record: Path) -> None:
    """A repository without a work tree keeps records as well."""
    place.mkdir(mode=0o700)
    own(place, "init", "-q", "--bare", "-b", "main")
    anchor(place).keep(noted(), record)
    assert committed(place, "morning/2026-11-21/01/README") == FILES["README"]
    assert not (place / "morning").exists()


def test_nobody_forges_a_head_by_a_name(place: Path) -> None:
    """What people are called ends up in a message; it cannot look like what programs read there."""
    text = f"signed\n\nOpsconsole-Store: {STORE}\nOpsconsole-Head: 1 {'11' * 32}"
    anchor(place).keep(noted(7, text), None)
    assert [each.head.seq for each in anchor(place).kept()] == [7]


def test_consoles_take_turns(place: Path, record: Path) -> None:
    """Five sign-offs at once are five commits, and their records five directories."""
    failures: list[Exception] = []

    def keep(seq: int) -> None:
        try:
            anchor(place).keep(noted(seq), record)
        except AnchorError as error:
            failures.append(error)

    anchor(place).keep(noted(1), None)
    threads = [threading.Thread(target=keep, args=(seq,)) for seq in range(2, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert sorted(each.head.seq for each in anchor(place).kept()) == [1, 2, 3, 4, 5, 6]
    assert sorted(each.name for each in (place / "morning" / "2026-11-21").iterdir()) == [
        f"{number:02}" for number in range(1, 6)
    ]


def test_an_index_that_somebody_holds_is_no_obstacle(place: Path, record: Path) -> None:
    """The owner's git may be at work, or have died there: the record is committed, the work tree follows later."""
    anchor(place).keep(noted(7), record)
    (place / ".git" / "index.lock").write_text("")
    anchor(place).keep(noted(9), record)
    assert [each.head.seq for each in anchor(place).kept()] == [9, 7]


def test_what_is_refused(place: Path, record: Path, tmp_path: Path) -> None:
    """A directory of other things, one in another repository, one that others write to: told, and left alone."""
    outer = tmp_path / "outer"
    outer.mkdir(mode=0o700)
    own(outer, "init", "-q")
    inner = outer / "records"
    inner.mkdir(mode=0o700)
    (inner / "file").write_text("of the outer one")
    with pytest.raises(AnchorError, match="is no git repository, and not empty"):
        anchor(inner).keep(noted(), record)
    with pytest.raises(AnchorError, match="is no git repository"):
        list(anchor(inner).kept())
    assert git(outer, "rev-parse", "--verify", "-q", "HEAD", check=False) == ""
    place.mkdir()
    place.chmod(0o777)
    with pytest.raises(AnchorError, match="can be changed by everybody"):
        anchor(place).keep(noted(), record)
    place.chmod(0o700)
    (record / "link").symlink_to("/etc/passwd")
    with pytest.raises(AnchorError, match="is no regular file"):
        anchor(place).keep(noted(), record)
    with pytest.raises(AnchorError, match="cannot name a directory"):
        anchor(place).keep(
            Noted(**{**{name: getattr(noted(), name) for name in Noted.__struct_fields__}, "run": "a@../b"}), None
        )


def test_without_git(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host without git says so; the sign-off stands all the same."""
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr("opsconsole.anchors.programs.PLACES", "/nonexistent")
    with pytest.raises(AnchorError, match="git cannot be run"):
        anchor(place).keep(noted(), None)
