"""Ways in that a reviewer looked for: each was open once, or is the one that an attacker of this host would try."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsconsole.cli.common import plain_json
from opsconsole.model.redaction import MASK
from support.canaries import canary, leaks
from support.command import MANUAL, Installation, installed
from support.hostile import FRAGMENTS
from support.pgecho import echoing_server
from support.sanitised import assert_only_text

SECRET = {"echoed": canary("echoed")}
S = SECRET["echoed"]


@pytest.fixture(scope="module")
def echoing() -> Iterator[int]:
    """Give the port of a server that repeats passwords."""
    with echoing_server() as port:
        yield port


@pytest.mark.parametrize("way", ["variable", "password file", "named password file", "service file"])
@pytest.mark.parametrize("what", ["store", "source"])
def test_a_password_that_a_server_repeats(tmp_path: Path, echoing: int, way: str, what: str) -> None:
    """However libpq found the password, the refusal of a careless pooler is told without it."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    dsn = f"host=127.0.0.1 port={echoing} user=ops dbname=qbr"
    more: dict[str, str] = {}
    match way:
        case "variable":
            more["PGPASSWORD"] = S
        case "password file":
            (home / ".pgpass").write_text(f"127.0.0.1:*:*:ops:{S}\n")
        case "named password file":
            (home / "own").write_text(f"127.0.0.1:*:*:ops:{S}\n")
            dsn += f" passfile={home / 'own'}"
        case _:
            (home / ".pg_service.conf").write_text(
                f"[pool]\nhost=127.0.0.1\nport={echoing}\nuser=ops\npassword={S}\n"
            )
            dsn = "service=pool"
    for each in home.iterdir():
        each.chmod(0o600)
    place = installed(tmp_path, morning=MANUAL)
    store = f'store = "{dsn}"\n' if what == "store" else ""
    source = f'[sources.pool]\nkind = "postgresql"\ndsn = "{dsn}"\n'
    place.config.write_text(f'{store}checklists = ["checklists"]\n{source}')
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", **more}
    said = ""
    for words in (("doctor",), ("list",), ("run", "morning", "--headless")) if what == "store" else (("doctor",),):
        done = place.run(*words, env=environment)
        said += done.out + done.err
    assert leaks(said.encode(), "what is said", SECRET) == []
    assert f"the pool has no place for <{MASK}>" in said


def test_json_for_a_terminal() -> None:
    """JSON that commands print is ASCII, and says the same."""
    for text in FRAGMENTS:
        document = json.dumps({"text": text}, ensure_ascii=False)
        plain = plain_json(document)
        assert_only_text(plain)
        assert json.loads(plain) == {"text": text}


@pytest.fixture
def place(tmp_path: Path) -> Installation:
    """Give an installation."""
    return installed(tmp_path, morning=MANUAL)


def test_no_program_is_taken_from_the_current_directory(place: Installation) -> None:
    """Whoever may write where the console is started does not get their own `git`, `df` or Python module run."""
    evil = place.directory / "evil"
    evil.mkdir()
    for name in ("ssh-keygen", "git", "df", "journalctl", "systemctl", "tmux"):
        (evil / name).write_text(f"#!/bin/sh\ntouch {place.directory}/ran-{name}\n")
        (evil / name).chmod(0o755)
    for name in ("psycopg", "rfc8785", "typer", "pam", "textual"):
        (evil / f"{name}.py").write_text(f"open({str(place.directory / f'ran-{name}')!r}, 'w')")
    item = 'id = "df"\ntitle = "df"\nprobe = "command"\nargv = ["df"]\nrequire = ["exit_code == 0"]'
    place.write("tools", f"{MANUAL}\n[[section.item]]\n{item}\n")
    environment = place.environment()
    environment["PATH"] = f":.:evil:{environment['PATH']}"
    for words in (
        ("run", "tools", "--headless", "--quiet"),
        ("sign", "tools", "--yes", "--attributed"),
        ("verify", "--all"),
        ("doctor",),
        ("people", "list"),
    ):
        subprocess.run(
            place.arguments(*words), cwd=evil, env=environment, capture_output=True, check=False, timeout=60
        )
    assert [each.name for each in place.directory.glob("ran-*")] == []


def test_a_fault_of_the_program_is_told_without_escapes(place: Installation) -> None:
    """A traceback on the terminal holds no control sequence and no secret, and the exit code is no success."""
    script = (
        "import opsconsole.cli.listing as r\n"
        "def broken(*a, **k): raise RuntimeError('\\x1b]0;owned\\x07 https://u:' + 'pw0rd-not-real@h/')\n"
        "r.table = broken\n"
        "from opsconsole.__main__ import main\nmain()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "--config", str(place.config), "--state", str(place.state), "list"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=place.environment(),
    )
    assert done.returncode == 1
    assert "RuntimeError" in done.stderr
    assert "pw0rd" not in done.stderr
    assert_only_text(done.stderr)


def test_core_files_and_temporary_files_are_not_left(place: Installation) -> None:
    """A whole morning leaves nothing in the directory of temporary files."""
    temporary = place.directory / "tmp"
    temporary.mkdir(mode=0o700)
    environment = place.environment(TMPDIR=str(temporary))
    for words in (("run", "morning", "--headless"), ("export", "morning"), ("verify", "--all")):
        place.run(*words, env=environment)
    assert list(temporary.iterdir()) == []
    record = next(each for each in place.directory.iterdir() if each.name.startswith("morning-"))
    assert stat.S_IMODE(record.stat().st_mode) == 0o700
    assert {stat.S_IMODE(each.stat().st_mode) for each in record.rglob("*") if each.is_file()} == {0o600}
