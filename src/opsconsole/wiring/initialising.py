"""Writes an installation to begin with: the shipped checklists of a system, and a configuration to fill in.

What belongs to a system is known by names: `webapp-daily` belongs to `webapp`. Nothing is ever written over.
"""

import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from opsconsole.config.places import CONFIG_NAME
from opsconsole.config.runbooks import DIRECTORY, runbook_path
from opsconsole.config.words import guess
from opsconsole.export.files import NotWritten
from opsconsole.model.errors import OpsconsoleError
from opsconsole.wiring.configuration import SOURCE_KINDS
from opsconsole.wiring.definitions import shipped_checklists, shipped_qualifications

SYSTEMS = {
    "host": "any Linux host: disk, memory, load, failed units; works as it stands",
    "qbr": "a nightly collection into PostgreSQL by a systemd timer, with a qualification of nine days",
    "monitoring": "a monitoring system: its dashboard, its interface, the database behind both",
    "sync": "data that two stores share: are they the same, and is what keeps them so alive",
    "golive": "services that went live lately: Prometheus, Loki, containers, PostgreSQL",
    "webapp": "a Django application behind nginx: health pages, logs, backups, PostgreSQL",
}
"""A line for each system that checklists may come for."""

_READABLE, _PRIVATE = 0o644, 0o600
_DIRECTORY = 0o755
_FIRST_OF_SOURCES = "# Connections, by the name that checklists use."
"""From here on the shipped configuration is replaced by the sources that are needed."""
_QUALIFICATIONS = 'qualifications = ["qualifications"]'
_EXAMPLE = re.compile(r"^#\s*\[sources\.([a-z0-9_-]+)\]\n((?:^#[ \t]+\S.*\n)+)", re.MULTILINE)
"""A source as the comments of a checklist may show it."""
_SQL = frozenset({"sql", "postgres"})
_URLS = {
    "prometheus": "http://prometheus.example:9090",
    "loki": "http://loki.example:3100",
    "container": "unix:/run/docker.sock",
}
"""What the server of a probe over HTTP is usually called."""


class InitRefused(OpsconsoleError):
    """Nothing was written; the message says why."""

    title = "not written"


@dataclass(frozen=True)
class System:
    """What comes with the program for one system."""

    name: str
    checklists: tuple[Path, ...]

    @property
    def summary(self) -> str:
        """What it is, in a line."""
        return SYSTEMS.get(self.name, str(self._tables[self.first].get("title", "")))

    @property
    def first(self) -> str:
        """The id of the checklist to begin with: the daily one where there is one."""
        ids = [each.stem for each in self.checklists]
        return f"{self.name}-daily" if f"{self.name}-daily" in ids else ids[0]

    @cached_property
    def _tables(self) -> Mapping[str, Mapping[str, Any]]:
        return {path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in self.checklists}

    def items(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield all items as their files have them, each with the id of its checklist."""
        for checklist, tables in self._tables.items():
            for section in tables["section"]:
                yield from ((checklist, item) for item in section["item"])

    @cached_property
    def runbooks(self) -> tuple[Path, ...]:
        """Those that items name, and others that are called after the system."""
        beside = self.checklists[0]
        named = {item["on_fail"]["runbook"] for _, item in self.items() if item.get("on_fail", {}).get("runbook")}
        others = {path.stem for path in (beside.parent / DIRECTORY).glob(f"{self.name}-*.md")}
        return tuple(runbook_path(beside, name) for name in sorted(named | others))

    @cached_property
    def qualifications(self) -> tuple[Path, ...]:
        """Those that count the runs of one of its checklists."""
        found = sorted(shipped_qualifications().glob("*.toml"))
        counted = (tomllib.loads(path.read_text(encoding="utf-8")).get("checklist") for path in found)
        return tuple(path for path, checklist in zip(found, counted, strict=True) if checklist in self._tables)

    def uses(self) -> Mapping[str, list[tuple[str, str, str]]]:
        """Return checklist, item and probe of all that asks a source, by its name."""
        found: dict[str, list[tuple[str, str, str]]] = {}
        for checklist, item in self.items():
            if item.get("source"):
                found.setdefault(item["source"], []).append((checklist, item["id"], item["probe"]))
        return found

    def examples(self) -> Mapping[str, str]:
        """Return the sources that comments of its checklists show, TOML without its head, by name."""
        found: dict[str, str] = {}
        for path in self.checklists:
            for name, lines in _EXAMPLE.findall(path.read_text(encoding="utf-8")):
                text = re.sub(r"^#[ \t]+", "", lines, flags=re.MULTILINE)
                with suppress(tomllib.TOMLDecodeError):  # prose that only looks like one
                    if tomllib.loads(text).get("kind") in SOURCE_KINDS:
                        found.setdefault(name, text)
        return found


@dataclass(frozen=True)
class Written:
    """What was done."""

    directory: Path
    files: tuple[Path, ...]
    """Those that were written, relative to the directory."""
    kept: tuple[Path, ...]
    """Those that were there, exactly as they would have been written."""
    sources: tuple[str, ...]
    """Those to fill in."""
    first: tuple[str, ...]
    """The checklist of each system to begin with."""


def systems() -> dict[str, System]:
    """Return the systems that checklists come for, by name."""
    found: dict[str, list[Path]] = {}
    for path in sorted(shipped_checklists().glob("*.toml")):
        found.setdefault(path.stem.partition("-")[0], []).append(path)
    order = [*(name for name in SYSTEMS if name in found), *(name for name in found if name not in SYSTEMS)]
    return {name: System(name, tuple(found[name])) for name in order}


def initialised(names: Sequence[str], directory: Path) -> Written:
    """Write configuration, checklists, runbooks and qualifications of systems into `directory`.

    A file that is there already and is exactly the same is left alone; where another one is in the way, nothing at
    all is written. Raises InitRefused and NotWritten.
    """
    known = systems()
    for name in names:
        if name not in known:
            raise InitRefused(f"there is no system '{name}'{guess(name, known, 'there are')}")
    chosen = [known[name] for name in dict.fromkeys(names)]
    files = _files(chosen)
    missing, in_the_way = _compared(files, directory)
    if in_the_way:
        listed = "\n".join(f"  {directory / each}" for each in in_the_way)
        raise InitRefused(
            f"there are other files of these names already:\n{listed}",
            "nothing is ever written over: name another directory, or move them away",
        )
    try:
        _write({path: files[path] for path in missing}, directory)
    except OSError as error:
        raise NotWritten(f"{error.filename or directory}: {error.strerror}; what was begun is removed") from error
    return Written(
        directory=directory,
        files=tuple(missing),
        kept=tuple(path for path in files if path not in missing),
        sources=tuple(sorted({name for each in chosen for name in each.uses()})),
        first=tuple(each.first for each in chosen),
    )


def _files(chosen: Sequence[System]) -> dict[Path, bytes]:
    """Return what is to be written by where it goes, the configuration last: without it nothing is used."""
    found: dict[Path, bytes] = {}
    for system in chosen:
        for directory, paths in (
            (Path("checklists"), system.checklists),
            (Path("checklists", DIRECTORY), system.runbooks),
            (Path("qualifications"), system.qualifications),
        ):
            found |= {directory / path.name: path.read_bytes() for path in paths}
    return {**found, Path(CONFIG_NAME): configuration(chosen).encode()}


def _compared(files: Mapping[Path, bytes], directory: Path) -> tuple[list[Path], list[Path]]:
    """Return the files that are missing, and those whose names something else has."""
    missing, in_the_way = [], []
    for path, content in files.items():
        if not os.path.lexists(directory / path):
            missing.append(path)
        elif not _holds(directory / path, content):
            in_the_way.append(path)
    return missing, in_the_way


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.is_file() and path.read_bytes() == content
    except OSError:
        return False


def _write(files: Mapping[Path, bytes], directory: Path) -> None:
    """Write new files, or none: whatever fails, those that were written before are removed again."""
    made: list[Path] = []
    try:
        for path, content in files.items():
            place = directory / path
            for parent in reversed([each for each in place.parents if not each.exists()]):
                parent.mkdir(mode=_DIRECTORY)
                made.append(parent)
            mode = _PRIVATE if path.name == CONFIG_NAME else _READABLE
            descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
            made.append(place)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
    except BaseException:
        for place in reversed(made):
            with suppress(OSError):
                place.rmdir() if place.is_dir() else place.unlink()
        raise


# --- the configuration -------------------------------------------------------------------------------


def configuration(chosen: Sequence[System]) -> str:
    """Return a commented config.toml with the sources that these systems ask, each with values to replace."""
    shipped = (shipped_checklists().parent / CONFIG_NAME).read_text(encoding="utf-8")
    general = shipped.partition(_FIRST_OF_SOURCES)[0].partition("\n")[2]
    if not any(each.qualifications for each in chosen):
        general = general.replace(f"\n{_QUALIFICATIONS}", f"\n# {_QUALIFICATIONS}")
    uses: dict[str, list[tuple[str, str, str]]] = {}
    examples: dict[str, str] = {}
    for each in chosen:
        for name, users in each.uses().items():
            uses.setdefault(name, []).extend(users)
        examples = {**each.examples(), **examples}
    names = " and ".join(each.name for each in chosen)
    what = "to fill in are the sources at its end" if uses else "it works as it stands"
    head = f"# opsconsole: the configuration for {names}; {what}. Lines that begin with `#` show defaults.\n"
    sources = [_source(name, users, examples.get(name, "")) for name, users in sorted(uses.items())]
    return head + general + (_ABOUT_SOURCES + "\n".join(sources) if sources else _NO_SOURCES)


_ABOUT_SOURCES = """\
# Connections, by the name that checklists use. TO FILL IN: the addresses and accounts below are examples. Secrets
# are not written down, but where they are kept: env:NAME is a variable of the console's environment, file:/PATH a
# file that not everybody can read. `opsconsole doctor` says whether each can be reached, and with which rights.
#
# A server that is asked over HTTP may have `bearer`, or `user` with `password`; `headers = { X-Site = "north" }`;
# and `ca = "/etc/ssl/site-ca.pem"`, certificates that it is trusted by where the system's are not enough. Six items
# ask it at once; `connections = 2` makes it two. Every source may have `connect_timeout = 5`, in seconds.

"""
_NO_SOURCES = """\
# Connections, by the name that checklists use: these ask none.
# [sources.NAME]
"""

_COMMENTS = {
    "postgresql": """\
# A libpq connection string or URL, of a role that may only SELECT. Never with a password: PGPASSFILE (~/.pgpass), a
# service file (service=NAME) or peer authentication give it.
""",
    "questdb": "# Its PostgreSQL interface. The password is given by PGPASSFILE (~/.pgpass) or PGPASSWORD.\n",
    "mysql": "# An account that may only SELECT, and where its password is kept.\n",
    "http": "# Its address, or the socket of a service on this host: unix:/PATH. Paths stand in the checklists.\n",
}


def _source(name: str, users: Sequence[tuple[str, str, str]], example: str) -> str:
    """Return the table of a source, with a comment that says who asks it."""
    probes = {probe for _, _, probe in users}
    table = example or _example(name, probes)
    kind = tomllib.loads(table)["kind"]
    lists = dict.fromkeys(checklist for checklist, _, _ in users)
    asked = f"# Asked by {', '.join(lists)} ({', '.join(sorted(probes))}).\n"
    first, _, rest = table.partition("\n")
    return f"{asked}[sources.{name}]\n{first}\n{_COMMENTS[kind]}{rest}"


def _example(name: str, probes: set[str]) -> str:
    """Return values for a source that probes of these kinds can use."""
    word = re.sub(r"[^a-z0-9]", "_", name).removesuffix("_database").removesuffix("_db")
    if "mysql" in probes:
        return (
            f'kind = "mysql"\ndsn = "mysql://opsconsole@db.example:3306/{word}"\n'
            f'password = "env:{word.upper()}_PASSWORD"\n'
        )
    if probes & _SQL and "questdb" in name:
        return f'kind = "questdb"\ndsn = {json.dumps("host=questdb.example port=8812 dbname=qdb user=admin")}\n'
    if probes & _SQL:
        return f'kind = "postgresql"\ndsn = "host=db.example dbname={word} user=opsconsole"\n'
    url = next((_URLS[probe] for probe in sorted(probes) if probe in _URLS), f"https://{name}.example")
    if url.startswith("unix:"):
        return f'kind = "http"\nurl = "{url}"\n'
    return f'kind = "http"\nurl = "{url}"\n# bearer = "env:{word.upper()}_TOKEN"\n'
