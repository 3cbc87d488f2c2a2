"""Commits each signed record to a git repository, and reads the heads back from the messages of its history.

No setting of the user or of the repository has a say (no hooks, no filters, no signing), so that what is committed
are the exact bytes of the record. Nothing is pushed; a remote makes it an anchor that this host cannot change.
"""

import re
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from opsconsole.anchors.gitcommands import Git, GitBusy
from opsconsole.config.trust import untrusted
from opsconsole.contracts.anchor import AnchorError, Kept, Noted
from opsconsole.contracts.store import Head, RunKey
from opsconsole.model.text import visible

_ATTEMPTS = 5
_PAUSE = 0.2
"""Seconds between two attempts, where somebody else commits at the same time."""
_MOST_FILES = 20_000
_MOST_BYTES = 256 << 20
_STORE, _LOCATION, _RUN, _HEAD = "Opsconsole-Store", "Opsconsole-Location", "Opsconsole-Run", "Opsconsole-Head"
_TRAILER = re.compile(r"^(Opsconsole-\w+): (.*)$", re.MULTILINE)
_VALUE = re.compile(r"(\d{1,15}) ([0-9a-f]{64})\Z")
_NUMBERED = re.compile(r"(\d{2,})\Z")


class GitAnchor:
    """An Anchor (see contracts): a commit for each sign-off, in a repository that is made where it is missing."""

    name = "git"

    def __init__(self, directory: Path, *, author: str, host: str) -> None:
        """Commit in `directory` as `author`, such as `Printed Name (login)`, at `host`."""
        self._directory = directory
        self._author = author
        self._host = host

    def keep(self, noted: Noted, record: Path | None) -> None:
        """Commit the files of `record` as `CHECKLIST/PERIOD/NN` and the head in the message; raises AnchorError."""
        git = self._opened(create=True)
        files = _files_of(record) if record is not None else {}
        with git.locked():
            for attempt in range(_ATTEMPTS):
                try:
                    self._commit(git, noted, files)
                except GitBusy:
                    if attempt == _ATTEMPTS - 1:
                        raise
                    time.sleep(_PAUSE)
                else:
                    return

    def kept(self) -> Iterator[Kept]:
        """Yield the head in each commit of the present branch and of remote-tracking ones; raises AnchorError."""
        if not self._directory.exists():
            return
        git = self._opened(create=False)
        for commit, when, body in git.history():
            told = dict(_TRAILER.findall(body.rstrip().rpartition("\n\n")[2]))
            value = _VALUE.match(told.get(_HEAD, ""))
            if value is None or _STORE not in told:
                continue
            yield Kept(
                store_id=told[_STORE],
                head=Head(int(value[1]), value[2]),
                where=f"{self._directory} commit {commit[:12]} of {when}",
                store_location=told.get(_LOCATION, ""),
            )

    def _opened(self, *, create: bool) -> Git:
        if create and not self._directory.exists():
            try:
                self._directory.mkdir(mode=0o700, parents=True)
            except OSError as error:
                raise AnchorError(f"{self._directory} cannot be made: {error.strerror}") from error
        reason = untrusted(self._directory)
        if reason is not None:
            raise AnchorError(f"{self._directory}: {reason}")
        git = Git(self._directory, author=self._author, host=self._host)
        if not git.is_repository():
            if not create:
                raise AnchorError(f"{self._directory} is no git repository")
            if any(self._directory.iterdir()):
                raise AnchorError(
                    f"{self._directory} is no git repository, and not empty", f"git init {self._directory}"
                )
            git.initialise()
        return git

    def _commit(self, git: Git, noted: Noted, files: Mapping[str, Path]) -> None:
        parent = git.head()
        base = _base(noted.run)
        names = git.names_in(parent, base) if parent else []
        used = [int(found[1]) for name in names if (found := _NUMBERED.match(name))]
        place = f"{base}/{max(used, default=0) + 1:02}"
        placed = {f"{place}/{name}": path for name, path in files.items()}
        blobs = git.blobs(placed)
        git.commit(parent, blobs, _message(noted))
        git.show(placed, blobs)


def _base(run: str) -> str:
    """Return the directory of a run, `qbr-daily/2026-11-21`."""
    try:
        key = RunKey.parse(run)
    except ValueError as error:
        raise AnchorError(str(error)) from error
    for part in (key.checklist, key.period):
        if not re.match(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z", part):
            raise AnchorError(f"'{run}' cannot name a directory")
    return f"{key.checklist}/{key.period}"


def _message(noted: Noted) -> str:
    """Return the message: what happened in one line, then trailers for programs."""
    trailers = {
        _STORE: noted.store_id,
        _LOCATION: visible(noted.store_location),
        _RUN: visible(noted.run),
        _HEAD: f"{noted.head.seq} {noted.head.hash}",
    }
    lines = "".join(f"{name}: {value}\n" for name, value in trailers.items())
    return f"{visible(noted.run)}: {visible(noted.what)}\n\n{lines}"


def _files_of(record: Path) -> dict[str, Path]:
    """Return the files of a record by their names in it; links and devices are refused, and so is too much."""
    found: dict[str, Path] = {}
    total = 0
    try:
        for path in sorted(record.rglob("*")):
            status = path.lstat()
            if stat.S_ISDIR(status.st_mode):
                continue
            if not stat.S_ISREG(status.st_mode) or "\n" in str(path):
                raise AnchorError(f"{path} is no regular file, so the record was not committed")
            total += status.st_size
            if len(found) >= _MOST_FILES or total > _MOST_BYTES:
                raise AnchorError(f"{record} is too large to be committed")
            found[path.relative_to(record).as_posix()] = path
    except OSError as error:
        raise AnchorError(f"{error.filename or record} cannot be read: {error.strerror}") from error
    return found
