"""The git commands that an anchor needs: plumbing only, so that no setting, hook or filter has a say."""

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from opsconsole.anchors.programs import asked, environment, lines
from opsconsole.contracts.anchor import AnchorError
from opsconsole.model.text import visible

_TIMEOUT = 20.0
_LOG_TIMEOUT = 60.0
_PATIENCE = 10.0
"""Seconds to wait for another console that commits."""
_POLL = 0.05
_LOCK = "opsconsole.lock"
_BRANCH = "main"

_SETTINGS = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.commitGraph": "false",
    "core.attributesFile": "/dev/null",
    "core.excludesFile": "/dev/null",
    "core.quotePath": "false",
    "core.pager": "cat",
    "core.fsync": "committed,reference",
    "commit.gpgSign": "false",
    "log.showSignature": "false",
    "i18n.commitEncoding": "UTF-8",
    "i18n.logOutputEncoding": "UTF-8",
    "init.defaultBranch": _BRANCH,
    "init.templateDir": "",
    "gc.auto": "0",
    "maintenance.auto": "false",
}
"""Whatever the repository's own configuration says."""

_WHOLE_HISTORY = {
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": "/dev/null",
    "GIT_SHALLOW_FILE": "/dev/null",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
}
"""History is what the commits say: nothing in the repository hides some of it, or has it fetched from elsewhere.

To fetch a missing object git runs what its configuration names; before version 2.45 only the last one stops it.
"""

_NO_FILTER = (("clean", ""), ("smudge", ""), ("process", ""), ("required", "false"))


class GitBusy(AnchorError):
    """Somebody else committed or holds the index at this moment: worth another try."""


class Git:
    """One repository, with or without a work tree; every call is a git process of its own, with a timeout."""

    def __init__(self, directory: Path, *, author: str, host: str) -> None:
        self._directory = directory.resolve()
        name = visible(author).translate({ord(each): None for each in "<>"}).strip() or "opsconsole"
        self._environment = environment(
            HOME="/nonexistent",
            GIT_CONFIG_GLOBAL="/dev/null",
            GIT_CONFIG_NOSYSTEM="1",
            GIT_CONFIG_COUNT="0",
            GIT_ATTR_NOSYSTEM="1",
            GIT_TERMINAL_PROMPT="0",
            GIT_OPTIONAL_LOCKS="0",
            GIT_PAGER="cat",
            GIT_EDITOR="false",
            GIT_CEILING_DIRECTORIES=str(self._directory.parent),
            **_WHOLE_HISTORY,
            GIT_AUTHOR_NAME=name,
            GIT_AUTHOR_EMAIL=f"opsconsole@{host or 'localhost'}",
            GIT_COMMITTER_NAME="opsconsole",
            GIT_COMMITTER_EMAIL=f"opsconsole@{host or 'localhost'}",
        )

    # --- the repository ----------------------------------------------------------------------------

    def is_repository(self) -> bool:
        """Return whether `directory` itself is one; raises AnchorError for one that git refuses to use."""
        done = self._run("rev-parse", "--git-dir", check=False)
        said = done[1]
        if done[0] and "not a git repository" not in said:
            raise AnchorError(f"{self._directory} cannot be used: {said}")
        return done[0] == 0

    def initialise(self) -> None:
        """Make a repository that only its owner can read."""
        self._ask("init", "--quiet", "--template=", f"--initial-branch={_BRANCH}", ".")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock by which consoles take turns; raises AnchorError where it is not to be had in time."""
        path = self._git_directory() / _LOCK
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise AnchorError(f"{path} cannot be written: {error.strerror}") from error
        try:
            deadline = time.monotonic() + _PATIENCE
            while not _taken(descriptor):
                if time.monotonic() > deadline:
                    raise AnchorError(f"another process has held {path} for {_PATIENCE:g} s")
                time.sleep(_POLL)
            yield
        finally:
            os.close(descriptor)

    def _git_directory(self) -> Path:
        return self._directory / self._ask("rev-parse", "--git-dir").strip()

    # --- reading -----------------------------------------------------------------------------------

    def head(self) -> str:
        """Return the commit that is checked out, empty in a new repository."""
        code, _, out = self._run("rev-parse", "--verify", "--quiet", "HEAD^{commit}", check=False)
        return out.decode("ascii", "replace").strip() if code == 0 else ""

    def names_in(self, commit: str, directory: str) -> list[str]:
        """Return the names in a directory of a commit; none where it has no such directory."""
        listed = self._ask("ls-tree", "-z", "--name-only", commit, f"{directory}/")
        return [name.rpartition("/")[2] for name in listed.split("\0") if name]

    def history(self) -> Iterator[tuple[str, str, str]]:
        """Yield commit, time and message of every commit of the present branch and of remote-tracking branches."""
        if not self.head() and not self._ask("for-each-ref", "--count=1", "refs/remotes"):
            return
        said: list[str] = []
        heads = ["HEAD", "--remotes"] if self.head() else ["--remotes"]
        argv = self._argv("log", "-z", "--no-show-signature", "--no-color", "--format=tformat:%H%n%cI%n%B", *heads)
        for entry in lines(argv, environ=self._environment, timeout=_LOG_TIMEOUT, said=said, separator=b"\0"):
            commit, _, rest = entry.decode("utf-8", "backslashreplace").partition("\n")
            when, _, body = rest.partition("\n")
            yield commit, when, body

    # --- writing -----------------------------------------------------------------------------------

    def blobs(self, files: Mapping[str, Path]) -> dict[str, str]:
        """Store exactly the bytes of these files; return the names of the objects."""
        paths = "".join(f"{path.absolute()}\n" for path in files.values())
        found = self._ask("hash-object", "-w", "--no-filters", "--stdin-paths", stdin=os.fsencode(paths)).split()
        if len(found) != len(files):
            raise AnchorError(f"git stored {len(found)} of {len(files)} files")
        return dict(zip(files, found, strict=True))

    def commit(self, parent: str, blobs: Mapping[str, str], message: str) -> None:
        """Add files to what the branch holds and move it on; raises GitBusy where somebody else has meanwhile."""
        with tempfile.TemporaryDirectory(prefix="opsconsole-") as scratch:
            index = {"GIT_INDEX_FILE": f"{scratch}/index"}
            if parent:
                self._ask("read-tree", parent, more=index)
            self._add(blobs, index)
            tree = self._ask("write-tree", more=index).strip()
        parents = ["-p", parent] if parent else []
        commit = self._ask("commit-tree", tree, *parents, stdin=message.encode()).strip()
        code, said, _ = self._run("update-ref", "-m", "opsconsole: record", "HEAD", commit, parent, check=False)
        if code:
            raise GitBusy(f"the branch could not be moved on: {said}")

    def show(self, files: Mapping[str, Path], blobs: Mapping[str, str]) -> None:
        """Put committed files into the work tree, if there is one, and into the index: `git status` is clean then.

        What stands there already is left alone, and nothing of it matters to the commit.
        """
        if self._ask("rev-parse", "--is-bare-repository").strip() == "true":
            return
        with contextlib.suppress(OSError):
            for name, path in files.items():
                _write_new(self._directory / name, path.read_bytes())
        with contextlib.suppress(AnchorError):  # the operator's own git may hold the index
            self._add(blobs, self._without_filters())

    def _without_filters(self) -> dict[str, str]:
        """Return an environment in which no filter of the repository runs: writing the index may ask them."""
        _, _, out = self._run("config", "-z", "--name-only", "--get-regexp", r"^filter\.", check=False)
        names = {name.rpartition(".")[0] for name in out.decode("utf-8", "replace").split("\0") if name}
        off = [(f"{name}.{key}", value) for name in sorted(names) for key, value in _NO_FILTER]
        keys = {f"GIT_CONFIG_KEY_{number}": key for number, (key, _) in enumerate(off)}
        values = {f"GIT_CONFIG_VALUE_{number}": value for number, (_, value) in enumerate(off)}
        return keys | values | {"GIT_CONFIG_COUNT": str(len(off))}

    def _add(self, blobs: Mapping[str, str], more: Mapping[str, str]) -> None:
        entries = "".join(f"100644 {blob}\t{name}\0" for name, blob in blobs.items())
        self._ask("update-index", "-z", "--index-info", stdin=entries.encode(), more=more)

    # --- calls -------------------------------------------------------------------------------------

    def _argv(self, *arguments: str) -> list[str]:
        settings = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
        return ["git", "--no-pager", "-C", str(self._directory), *settings, *arguments]

    def _run(
        self, *arguments: str, stdin: bytes = b"", more: Mapping[str, str] | None = None, check: bool = True
    ) -> tuple[int, str, bytes]:
        done = asked(
            self._argv(*arguments), environ=self._environment | dict(more or {}), timeout=_TIMEOUT, stdin=stdin
        )
        said = " ".join(done.stderr.decode("utf-8", "backslashreplace").split())
        if check and done.returncode:
            busy = "index.lock" in said or "cannot lock ref" in said
            raise (GitBusy if busy else AnchorError)(f"git {arguments[0]}: {said or done.returncode}")
        return done.returncode, said, done.stdout

    def _ask(self, *arguments: str, stdin: bytes = b"", more: Mapping[str, str] | None = None) -> str:
        return self._run(*arguments, stdin=stdin, more=more)[2].decode("utf-8", "backslashreplace")


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without flock: git's own locks are left
        return True
    return True


def _write_new(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
