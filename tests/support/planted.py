"""A morning on a host full of secrets: every place where people put one holds a canary, and all sinks are kept."""

import datetime as dt
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from opsconsole.store.postgres_roles import WRITER
from support.canaries import canary
from support.command import Installation, installed
from support.pgecho import echoing_server
from support.postgres import Postgres
from support.ptys import Pty
from support.stores import shared_record

KNOWN = ("PGPASSWORD", "pgpass", "passfile", "service", "passed on", "variable", "url variable", "own variable")
"""Places that the program can know of, so that their secrets are masked as bare words too."""
SHAPED = ("result", "output", "header", "journal line", "server log", "private key")
"""Secrets of others, in what is measured: known by where they stand only."""
_COMMANDED = (
    *("amendment", "amendment reason", "action", "action owner", "action end", "explanation", "reset reason"),
)
TYPED = ("note", "bearer note", "field", "reason", "entry", *_COMMANDED)
"""What a person types or pastes."""
ARGUED = _COMMANDED
"""What a person puts on the command line, where others can read it whatever we do."""
PLACES = (*KNOWN, *SHAPED, *TYPED)

OPEN_GATE = """
import opsconsole.model.redaction as gate
gate.redacted = lambda text, known=(): text
gate._without_cut_secret = lambda text, known: text
gate.unmistakable = lambda text: False
"""
"""What takes the masking away, to prove that a leak would be found."""
CRASHING = """
import os
from opsconsole.wiring import services
def crash(self, *args, **more):
    secrets = [os.environ['PGPASSWORD'], open(os.environ['HOME'] + '/.pgpass').read()]
    raise RuntimeError('lost: ' + ' '.join(secrets) + ' \\x1b[2J')
services.Services.rendered = crash
"""
"""A fault of the program whose message holds secrets."""
_MAIN = "\nfrom opsconsole.__main__ import main\nmain()\n"

NIGHT = """
title = "Night"
due = { timezone = "UTC" }
sign_off = { tier = "signed" }

[[section]]
title = "All"

[[section.item]]
id = "tool"
title = "The tool"
probe = "command"
argv = [@PYTHON@, "-c", @TOOL@]
pass_env = ["INVENTORY_KEY"]
require = ["exit_code == 0"]
"""

NIGHTS = """
title = "Two clean nights"
checklist = "night"
days = 2
"""

CHECKLIST = """
title = "Morning"
due = { timezone = "UTC" }

[[section]]
title = "All"

[[section.item]]
id = "look"
title = "Look at the dashboard"
manual = true

[[section.item]]
id = "settings"
title = "Settings"
probe = "sql"
source = "inventory"
query = "select place, value from settings order by place"
require = ["count > 0", "every value == 'unlikely'"]

[[section.item]]
id = "tool"
title = "The tool"
probe = "command"
argv = [@PYTHON@, "-c", @TOOL@]
pass_env = ["INVENTORY_KEY"]
require = ["exit_code == 0", "stdout == 'unlikely'"]

[[section.item]]
id = "late"
title = "A tool that does not end"
probe = "command"
argv = [@PYTHON@, "-c", @LATE@]
timeout = "1500 ms"
require = ["exit_code == 0"]

[[section.item]]
id = "journal"
title = "The journal"
probe = "journal"
directory = @JOURNAL@
require = ["count == 0"]

[[section.item]]
id = "pool"
title = "The pool"
probe = "sql"
source = "pool"
query = "select 1 as one"
require = ["count == 1"]

[[section.item]]
id = "service"
title = "The service"
probe = "sql"
source = "service"
query = "select 1 as one"
require = ["count == 1"]

[[section.item]]
id = "typed"
title = "Typed in"
entry = { label = "What it says", kind = "text" }
require = ["entry == 'unlikely'"]

[[field]]
id = "issues"
title = "Issues found"
"""

_TOOL = (
    "import os, sys, time; text = open({path!r}).read(); print(os.environ['INVENTORY_KEY'], text); "
    "print(os.environ['INVENTORY_KEY'], text, file=sys.stderr); sys.stdout.flush(); time.sleep({seconds})"
)
_JOURNALCTL = """\
#!/bin/sh
# Stands for journalctl: whatever is asked for, there is this one entry.
cat {path}
"""


@dataclass
class Sinks:
    """Everything that a morning left behind or said."""

    place: Installation
    said: dict[str, bytes] = field(default_factory=dict)
    """Standard output, standard error and terminals, by what was run."""
    command_lines: set[bytes] = field(default_factory=set)
    """Of every process that the program started, and its own."""
    environments: dict[bytes, bytes] = field(default_factory=dict)
    """Of those that it started, by command line."""

    @property
    def spared(self) -> tuple[Path, ...]:
        """Where the secrets were put, which is none of the program's doing."""
        return (self.place.directory / "host",)


def planted() -> dict[str, str]:
    """Return the secret of every place."""
    return {place: canary(place) for place in PLACES}


@contextmanager
def morning(directory: Path, postgres: Postgres, *, gate_open: bool = False) -> Iterator[Sinks]:
    """Run a whole morning, headless and at the console, on a host full of secrets."""
    prelude = OPEN_GATE if gate_open else ""
    with echoing_server() as port:
        place = _installation(directory, postgres, port)
        sinks = Sinks(place)
        environment = _environment(place)
        with _watching(sinks):
            _headless(place, sinks, environment, prelude)
            _console(place, sinks, environment, prelude)
            _crashes(place, sinks, environment, prelude)
            _afterwards(place, sinks, environment, prelude)
            _night(place, sinks, environment, prelude)
            _days(place, sinks, environment, prelude)
            _shared_night(place, sinks, environment, prelude, postgres)
        yield sinks


def _installation(directory: Path, postgres: Postgres, port: int) -> Installation:
    host = directory / "host"
    host.mkdir(mode=0o700, parents=True)
    (directory / "tmp").mkdir(mode=0o700)
    secrets = planted()
    database = postgres.create_database(_settings(secrets))
    role = postgres.create_role()
    postgres.run(f'grant select on settings to "{role}"', database)
    known = "\n".join(secrets[each] for each in KNOWN)
    (host / "output").write_text(
        f"{known}\n"
        f"connecting to mysql://tool:{secrets['output']}@db/x\n"
        f"> Authorization: Bearer {secrets['header']}\n"
        f"-----BEGIN OPENSSH PRIVATE KEY-----\n{secrets['private key']}\n-----END OPENSSH PRIVATE KEY-----\n"
    )
    (host / ".pgpass").write_text(f"# local\nother:5432:*:ops:{secrets['pgpass']}\n")
    (host / "passfile").write_text(f"other:*:*:ops:{secrets['passfile']}\n")
    (host / ".pg_service.conf").write_text(
        f"[pool]\nhost=127.0.0.1\nport={port}\nuser=ops\npassword={secrets['service']}\n"
    )
    message = f"tool: login with password={secrets['journal line']} failed"
    statement = f"LOG: statement: ALTER ROLE ops PASSWORD '{secrets['server log']}'"
    stamp = int(time.time() * 1e6) - 60_000_000
    (host / "entries").write_text(
        "".join(
            f'{{"__REALTIME_TIMESTAMP":"{stamp}","PRIORITY":"3","SYSLOG_IDENTIFIER":"tool","MESSAGE":"{text}"}}\n'
            for text in (message, statement)
        )
    )
    for each in host.iterdir():
        each.chmod(0o600)
    (host / "bin").mkdir()
    (host / "bin" / "journalctl").write_text(_JOURNALCTL.format(path=host / "entries"))
    (host / "bin" / "journalctl").chmod(0o755)
    (directory / "qualifications").mkdir(mode=0o755)
    (directory / "qualifications" / "nights.toml").write_text(NIGHTS)
    return installed(
        directory,
        "qualifications = ['qualifications']\n"
        f"[sources.inventory]\nkind = 'postgresql'\ndsn = \"{postgres.dsn(database, role)}\"\n"
        f"[sources.pool]\nkind = 'postgresql'\ndsn = 'host=127.0.0.1 port={port} user=ops "
        f"dbname=qbr passfile={host / 'passfile'}'\n"
        "[sources.service]\nkind = 'postgresql'\ndsn = 'service=pool'\n"
        "[anchors]\njournal = false\ngit = 'records.git'\n",
        morning=_checklist(CHECKLIST, host),
        night=_checklist(NIGHT, host),
    )


def _settings(secrets: Mapping[str, str]) -> str:
    rows = [(each, secrets[each]) for each in KNOWN]
    rows.append(("result", f"postgresql://billing:{secrets['result']}@db.example/qbr"))
    values = ", ".join(f"('{place}', '{value}')" for place, value in rows)
    return f"create table settings (place text, value text);\ninsert into settings values {values};"


def _checklist(text: str, host: Path) -> str:
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    for name, value in {
        "PYTHON": sys.executable,
        "TOOL": _TOOL.format(path=str(host / "output"), seconds=0.3),
        "LATE": _TOOL.replace("os.environ['INVENTORY_KEY'], ", "").format(path=str(host / "output"), seconds=60),
        "JOURNAL": str(host),
    }.items():
        text = text.replace(f"@{name}@", quoted(value))
    return text


def _environment(place: Installation) -> dict[str, str]:
    host, secrets = place.directory / "host", planted()
    return {
        "PATH": f"{host / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "LANG": "C.UTF-8",
        "HOME": str(host),
        "TMPDIR": str(place.directory / "tmp"),
        "XDG_RUNTIME_DIR": str(place.directory / "tmp"),
        "PGPASSWORD": secrets["PGPASSWORD"],
        "INVENTORY_KEY": secrets["passed on"],
        "VAULT_TOKEN": secrets["variable"],
        "DATABASE_URL": f"postgresql://app:{secrets['url variable']}@db.example/app",
        "OPSCONSOLE_API_TOKEN": secrets["own variable"],
    }


# --- what is done ------------------------------------------------------------------------------------


def _words(place: Installation, prelude: str, *words: str) -> list[str]:
    program = ["-c", prelude + _MAIN] if prelude else ["-m", "opsconsole"]
    return [sys.executable, *program, "--config", str(place.config), "--state", str(place.state), *words]


def _run(place: Installation, sinks: Sinks, environment: Mapping[str, str], prelude: str, *words: str) -> None:
    done = subprocess.run(
        _words(place, prelude, *words),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
        cwd=place.directory,
        env=dict(environment),
    )
    name = f"{' '.join(words[:4])}{' crashing' if 'crash' in prelude else ''}"
    for stream, said in (("output", done.stdout), ("errors", done.stderr)):
        sinks.said[f"the {stream} of {name}"] = sinks.said.get(f"the {stream} of {name}", b"") + said


def _headless(place: Installation, sinks: Sinks, environment: Mapping[str, str], prelude: str) -> None:
    for form in ("text", "json", "markdown"):
        _run(place, sinks, environment, prelude, "run", "morning", "--headless", "--format", form)


def _console(place: Installation, sinks: Sinks, environment: Mapping[str, str], prelude: str) -> None:
    """Type secrets into every kind of text, look at everything, write the day log and leave."""
    secrets = planted()
    with Pty(
        _words(place, prelude, "run", "morning"), cols=200, rows=60, env=environment, cwd=place.directory
    ) as pty:
        pty.wait_for("Look at the dashboard")
        pty.wait_until(lambda: "READING" not in pty.screen.text and "measuring" not in pty.screen.text)
        for key, text, shown in (
            ("n", f"see redis://cache:{secrets['note']}@host/0", "noted"),
            ("n", f"curl -H 'Authorization: Bearer {secrets['bearer note']}'", "noted"),
            ("s", f"with {secrets['PGPASSWORD']} and --password {secrets['reason']}", "skipped"),
            ("f", f"used PGPASSWORD={secrets['field']}", "saved"),
        ):
            pty.send(key)
            pty.wait_for("Enter save")
            # What is typed is echoed, as in any form: of this stream only what the program says by itself counts.
            before = len(pty.output)
            pty.send(text)
            pty.send("\r")
            pty.wait_until(lambda: "Enter save" not in pty.screen.text, what=f"{shown} after {key}")
            pty.settle()
            del pty.output[before:]
        pty.send("/Typed in\r")
        pty.wait_until(lambda: re.search(r"> .*Typed in", pty.screen.text) is not None, what="the entry")
        pty.send("e")
        pty.wait_for("Enter save")
        before = len(pty.output)
        pty.send(f"https://api:{secrets['entry']}@host/\r")
        pty.wait_until(lambda: "Enter save" not in pty.screen.text, what="the entry to be saved")
        pty.settle()
        del pty.output[before:]
        pty.send("\x0c")  # draws everything anew
        for _ in range(9):  # beside the list stands the detail of the item that the cursor is on
            pty.send("k")
            pty.settle(0.1)
        pty.send("x")
        pty.wait_for("day log written")
        pty.send("g")
        pty.wait_for("Sign-off")
        pty.settle()
        pty.send("q")
        pty.wait_exit()
        sinks.said["the terminal"] = bytes(pty.output)


def _crashes(place: Installation, sinks: Sinks, environment: Mapping[str, str], prelude: str) -> None:
    _run(place, sinks, environment, prelude + CRASHING, "export", "morning", "--format", "json")
    with Pty(
        _words(place, prelude + CRASHING, "run", "morning"), cols=200, rows=60, env=environment, cwd=place.directory
    ) as pty:
        pty.wait_for("Look at the dashboard")
        pty.send("x")
        pty.wait_for("Unexpected error")
        pty.send("q")
        pty.wait_exit()
        sinks.said["the terminal of a crash"] = bytes(pty.output)


def _afterwards(place: Installation, sinks: Sinks, environment: Mapping[str, str], prelude: str) -> None:
    for words in (
        ("export", "morning"),
        ("export", "morning", "--output", str(place.directory / "morning.tar")),
        ("export", "morning", "--format", "text"),
        ("export", "morning", "--format", "toml"),
        ("export", "morning", "--format", "markdown"),
        ("export", "morning", "--format", "json", "--output", str(place.directory / "morning.json")),
        ("list",),
        ("show", "morning"),
        ("history",),
        ("verify", "--all"),
        ("doctor",),
        ("lint",),
        ("config", "show"),
        ("config", "path"),
    ):
        _run(place, sinks, environment, prelude, *words)


def _night(place: Installation, sinks: Sinks, environment: Mapping[str, str], prelude: str) -> None:
    """Measure, sign with a key, amend, export and verify, on the command line."""
    key = place.directory / "host" / ".ssh" / "id_ed25519"
    if not key.exists():
        key.parent.mkdir(mode=0o700)
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "operator", "-f", str(key)]
        subprocess.run(words, check=True, timeout=60)
        named = ("--name", "Night Operator", "--role", "operator", "--key", f"{key}.pub")
        _run(place, sinks, environment, prelude, "people", "add", "night@example.org", *named)
    _run(place, sinks, environment, prelude, "run", "night", "--headless")
    _run(place, sinks, environment, prelude, "sign", "night", "--yes")
    secrets = planted()
    note, reason = f"see https://api:{secrets['amendment']}@host/", f"token={secrets['amendment reason']}"
    _run(place, sinks, environment, prelude, "amend", "night", "--yes", "--note", note, "--reason", reason)
    _run(
        place,
        sinks,
        environment,
        prelude,
        "export",
        "night",
        "--output",
        str(place.directory / "night.tar"),
        "--force",
    )
    _run(place, sinks, environment, prelude, "verify", "--all", "--format", "json")


def _days(place: Installation, sinks: Sinks, environment: Mapping[str, str], prelude: str) -> None:
    """Say why days were missed, raise and end action items, and have everything reported."""

    def run(*words: str) -> None:
        _run(place, sinks, environment, prelude, *words)

    secrets = planted()
    today = dt.datetime.now(dt.UTC).date()
    begun, lost = (str(today - dt.timedelta(days=days)) for days in (3, 2))
    place.then("night", begun, measured=False)
    run("explain", f"night@{lost}", "--yes", "--reason", f"see redis://cache:{secrets['explanation']}@host/0")
    why = f"the password={secrets['reset reason']} had expired"
    run("qualification", "reset", "nights", lost, "--yes", "--reason", why)
    raised = ("actions", "add", "night", f"rotate https://api:{secrets['action']}@host/")
    run(*raised, "--owner", f"token={secrets['action owner']}", "--due", "+7")
    run("actions", "done", f"night@{today}#1", f"it is PGPASSWORD={secrets['action end']} now")
    for words in (("actions", "--all"), ("actions", "--all", "--json"), ("list", "--json"), ("list", "--at", lost)):
        run(*words)
    run("qualification", "status", "nights")
    run("qualification", "status", "nights", "--json", "--all")
    run("qualification", "list")
    for form in ("markdown", "json", "html"):
        for kind in ("daily", "weekly", "monthly", "quarterly"):
            run("report", kind, "--format", form, "--verify")
        run("report", "monthly", "--at", lost, "--format", form)
        kept = str(place.directory / f"quarter.{form}")
        run("report", "quarterly", "--at", lost, "--format", form, "--output", kept)
        run("qualification", "report", "nights", "--format", form)


def _shared_night(
    place: Installation, sinks: Sinks, environment: Mapping[str, str], prelude: str, postgres: Postgres
) -> None:
    """Do the same with the record in PostgreSQL, and keep what is in it."""
    database = shared_record(postgres)
    configured = place.config.read_text()
    place.config.write_text(f'store = "{postgres.dsn(database, WRITER)}"\n{configured}')
    _night(place, sinks, environment, prelude)
    place.config.write_text(configured)
    script = (
        "select encode(document, 'escape') from opsconsole.events order by seq;\n"
        "select * from opsconsole.evidence;\nselect * from opsconsole.meta;"
    )
    sinks.said["the shared record"] = postgres.run(script, database).encode()


# --- what other users could see ----------------------------------------------------------------------


@contextmanager
def _watching(sinks: Sinks) -> Iterator[None]:
    """Look at all processes below this one, again and again, for the length of the block."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.01):
            _look(sinks)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _look(sinks: Sinks) -> None:
    parents: dict[int, int] = {}
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            with suppress(OSError, ValueError, IndexError):
                parents[int(each.name)] = int((each / "stat").read_text().rpartition(")")[2].split()[1])
    for pid in parents:
        if not _is_below(pid, parents):
            continue
        with suppress(OSError):
            command_line = Path("/proc", str(pid), "cmdline").read_bytes()
            environment = Path("/proc", str(pid), "environ").read_bytes()
            sinks.command_lines.add(command_line)
            if b"opsconsole" not in command_line.replace(str(sinks.place.directory).encode(), b""):
                sinks.environments[command_line] = environment


def _is_below(pid: int, parents: Mapping[int, int]) -> bool:
    own = os.getpid()
    seen = set()
    while pid in parents and pid not in seen:
        seen.add(pid)
        pid = parents[pid]
        if pid == own:
            return True
    return False
