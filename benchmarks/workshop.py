"""What the benchmarks work on: a database with the history of the demo, and an installation that asks it.

The server is the one of `opsconsole demo`, on a private socket; everything lies in one directory that is removed
at the end. The record lies on the same disk as the directory for temporary files, which should be a real one: on a
file system in memory, writing durably costs nothing.
"""

import contextlib
import datetime as dt
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from opsconsole.demo.accounts import server_account
from opsconsole.demo.binaries import find_programs
from opsconsole.demo.qbr.running import DATABASE, ROLE, running_demo

ROOT = Path(__file__).resolve().parents[1]
OPSCONSOLE = (sys.executable, "-m", "opsconsole")
_SYSTEMD_KINDS = re.compile(r'^probe = "(timer|unit|journal)"$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Workshop:
    """A directory, and a database server that runs while it is open."""

    directory: Path
    sockets: Path
    """Where the server's socket is."""

    @property
    def environment(self) -> dict[str, str]:
        """What every command gets to see, ours and the peers': libpq's settings, and nothing of this process."""
        return {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.directory),
            "LANG": "C.UTF-8",
            "PGHOST": str(self.sockets),
            "PGPORT": "5432",
            "PGDATABASE": DATABASE,
            "PGUSER": ROLE,
        }

    def installation(
        self, name: str, checklists: Mapping[str, str], host: str = "", port: int = 5432
    ) -> "Installation":
        """Make an installation with these checklists (texts by id) that asks the server, or a line to it."""
        place = self.directory / name
        shutil.copytree(ROOT / "checklists" / "runbooks", place / "checklists" / "runbooks")
        for checklist, text in checklists.items():
            _write(place / "checklists" / f"{checklist}.toml", text)
        dsn = f"host='{host or self.sockets}' port='{port}' dbname='{DATABASE}' user='{ROLE}'"
        source = f'[sources.inventory]\nkind = "postgresql"\ndsn = {json.dumps(dsn)}\n'
        _write(place / "config.toml", f'checklists = ["checklists"]\n\n{source}')
        return Installation(place, self.environment)


@dataclass(frozen=True, slots=True)
class Installation:
    """A configuration, checklists, and places for records."""

    directory: Path
    environment: Mapping[str, str]

    def command(self, state: Path, *arguments: str) -> list[str]:
        """Return the argv of a command that keeps its records in `state`."""
        return [*OPSCONSOLE, "--config", str(self.directory / "config.toml"), "--state", str(state), *arguments]

    def headless(self, state: Path, checklist: str, *arguments: str) -> list[str]:
        """Return the argv of a headless run."""
        return self.command(state, "run", checklist, "--headless", *arguments)

    def fresh_state(self, before: Path | None = None) -> Path:
        """Return a new place for records: empty, or with those that are in `before`."""
        state = self.directory / "states" / secrets.token_hex(6)
        if before is None:
            state.mkdir(parents=True, mode=0o700)
        else:
            shutil.copytree(before, state)
            _flush(state)
        return state

    def used_state(self, checklist: str, prefix: Sequence[str] = ()) -> Path:
        """Return records with the run of an earlier day in them, as a morning finds them."""
        state = self.fresh_state()
        day = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=2)
        argv = [*prefix, *self.headless(state, checklist, "--date", f"{day}", "--quiet")]
        subprocess.run(argv, env=dict(self.environment), check=False, capture_output=True)
        return state


def shipped(checklist: str) -> str:
    """Return the text of a checklist that comes with the program."""
    return (ROOT / "checklists" / f"{checklist}.toml").read_text(encoding="utf-8")


def without_systemd(text: str) -> str:
    """Return a checklist without its sections about systemd, for hosts that were not booted with it."""
    head, *sections = re.split(r"^(?=\[\[section\]\]$)", text, flags=re.MULTILINE)
    kept = [section for section in sections if not _SYSTEMD_KINDS.search(section)]
    if len(kept) == len(sections):
        raise ValueError("the checklist has no section about systemd")
    return "".join([head, *kept])


def psql_programs() -> dict[str, str]:
    """Return the clients by what they are: what an operator of this host calls, and the program itself."""
    programs = {"psql": str(find_programs().psql)}
    found = shutil.which("psql")
    if found is not None and Path(found).read_bytes()[:2] == b"#!":
        return {"Debian's psql": found, **programs}
    return programs


@contextlib.contextmanager
def opened() -> Iterator[Workshop]:
    """Start the server and remove everything at the end."""
    directory = Path(tempfile.mkdtemp(prefix="opsconsole-bench-"))
    try:
        if server_account().switched:
            directory.chmod(0o711)
        with running_demo(directory, now=dt.datetime.now(dt.UTC)) as demo:
            yield Workshop(directory, _socket_directory(demo.dsn))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def compile_program() -> None:
    """Compile the program's modules, as an installation does: without, every start would compile them."""
    subprocess.run(
        [sys.executable, "-m", "compileall", "-q", str(ROOT / "src"), str(ROOT / "benchmarks")], check=True
    )


def _socket_directory(dsn: str) -> Path:
    from psycopg.conninfo import conninfo_to_dict

    return Path(str(conninfo_to_dict(dsn)["host"]))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)


def _flush(directory: Path) -> None:
    """Write a copy to the disk now, so that the run that is measured does not have to."""
    for path in directory.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)
