"""`opsconsole sign` and `opsconsole amend`, as operators and scripts use them, with real keys of OpenSSH."""

import asyncio
import contextlib
import datetime as dt
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from opsconsole.engine.engine import opened
from opsconsole.engine.session import RunSession
from opsconsole.model.encoding import canonical
from opsconsole.model.events import Actor, Event, Noted, Via
from opsconsole.model.record import record_bytes, statement_bytes
from opsconsole.model.runs import RunState
from opsconsole.wiring.services import services
from support.command import OPSCONSOLE, Done, installed
from support.ptys import Pty
from support.ssh import security_key, until

CHECKLIST = """
title = "Morning"
due = { timezone = "UTC" }
sign_off = { tier = "%s" }

[[section]]
title = "All"

[[section.item]]
id = "load"
title = "Load"
probe = "load"
require = ["load1 < 100000"]

[[section.item]]
id = "tickets"
title = "Tickets"
entry = { label = "Tickets" }
require = ["entry < 10"]

[[field]]
id = "notes"
title = "Notes"
"""

MEASURED = """
title = "Night"
due = { timezone = "UTC" }

[[section]]
title = "All"

[[section.item]]
id = "load"
title = "Load"
probe = "load"
require = ["load1 < 100000"]
"""

EXPLAINED = re.compile(r"^  strength +(.*)$", re.MULTILINE)


class Office:
    """An installation, a home with keys in it, and people who may sign with them."""

    def __init__(self, directory: Path, tier: str = "attributed") -> None:
        self.place = installed(directory, "[anchors]\njournal = false\n", morning=CHECKLIST % tier, night=MEASURED)
        self.home = directory / "home"
        (self.home / ".ssh").mkdir(mode=0o700, parents=True)

    @property
    def environment(self) -> dict[str, str]:
        """Without an agent, and with a home of its own."""
        return self.place.environment(HOME=str(self.home))

    def run(self, *words: str, **more: str) -> Done:
        """Run a command to its end, with nothing to read from."""
        return self.place.run(*words, env={**self.environment, **more})

    def add(self, principal: str, file: str, *roles: str) -> str:
        """Make a key in the home directory and name whose it is; return its fingerprint."""
        path = self.home / ".ssh" / file
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", principal, "-f", str(path)]
        subprocess.run(words, check=True, timeout=60)
        named = [word for role in roles for word in ("--role", role)]
        name = principal.partition("@")[0].capitalize()
        done = self.run("people", "add", principal, "--name", name, *named, "--key", f"{path}.pub")
        assert done.code == 0, done.err
        said = subprocess.run(
            ["ssh-keygen", "-l", "-f", f"{path}.pub"], capture_output=True, text=True, check=True, timeout=60
        )
        return said.stdout.split()[1]

    def work(self, deed: Callable[[RunSession], Coroutine[Any, Any, None]]) -> None:
        """Do something by hand in the present run, as at the console."""

        async def done() -> None:
            async with opened(parts.engine, parts.checklist("morning")) as session:
                await deed(session)

        with services(self.place.config, self.place.state, Via.CONSOLE) as parts:
            asyncio.run(done())

    def ready(self) -> None:
        """Measure the morning and enter what is to be entered."""
        assert self.run("run", "morning", "--headless", "--quiet").code == 0
        self.work(lambda session: session.enter("tickets", "5"))

    def state(self, name: str = "morning") -> RunState:
        """Return the present run as it is stored."""
        with services(self.place.config, self.place.state, Via.COMMAND) as parts:
            state = parts.engine.load(parts.engine.key_of(parts.checklist(name)).id)
        assert state is not None
        return state


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """An office in which nobody has a key."""
    return Office(tmp_path)


# --- sign -------------------------------------------------------------------------------------------


def test_what_cron_measured_is_signed_without_the_console(office: Office) -> None:
    """stdout shows the run and everything the signature says, then what was signed; it verifies."""
    assert office.run("run", "night", "--headless", "--quiet").code == 0
    done = office.run("sign", "night", "--yes")
    assert done.code == 0, done.err
    state = office.state("night")
    assert state.signed is not None
    statement = state.signed.body.statement
    assert "PASS     Load: load1 is " in done.out
    for told in (
        f"result      {statement.result}, 1 pass",
        f"(login {statement.login})",
        f"run         {statement.run}, business date {statement.business_date}, on {statement.host}",
        f"up to event {statement.head_seq}, {statement.head_hash}",
        f"definition  {statement.definition_hash}",
        f"store       {statement.store_id}",
    ):
        assert told in done.out
    last = done.out.splitlines()[-1]
    assert last.endswith(f"attributed, event {state.signed.seq} {state.signed.hash}")
    assert "nobody may sign with a key here" in done.err
    assert office.run("verify", "--all").code == 0


def test_what_is_left_to_do_is_listed_and_nothing_is_stored(office: Office) -> None:
    """Each hurdle has a line of its own on stderr, the exit code is 1, and the run stays open."""
    office.run("run", "morning", "--headless", "--quiet")
    before = office.state().last_seq
    done = office.run("sign", "morning", "--yes")
    assert (done.code, done.out) == (1, "")
    assert "1 thing is to be done before morning@" in done.err
    assert "\n- Tickets is still pending: enter its value" in done.err
    assert office.state().last_seq == before


def test_without_a_terminal_nobody_is_asked(office: Office) -> None:
    """It shows what it would sign and ends with 2; only --yes signs."""
    office.ready()
    done = office.run("sign", "morning")
    assert done.code == 2
    assert "What is signed:" in done.out
    assert "say --yes" in done.err
    assert office.state().signed is None


@pytest.mark.parametrize(
    ("answer", "code", "is_signed"), [(b"y\n", 0, True), (b"\n", 1, False), (b"\x03", 130, False)]
)
def test_on_a_terminal_it_asks(office: Office, answer: bytes, code: int, is_signed: bool) -> None:
    """Only a `y` signs; Enter and Ctrl-C leave the run as it was, and say so."""
    office.ready()
    before = office.state().last_seq
    with Pty(office.place.arguments("sign", "morning"), env={**office.environment}) as terminal:
        terminal.wait_for("Sign this? [y/N]")
        terminal.send(answer)
        assert terminal.wait_exit() == code
        terminal.settle()
        assert is_signed or b"not signed" in terminal.output
    state = office.state()
    assert (state.signed is not None) is is_signed
    assert (state.last_seq == before) is not is_signed


def test_a_run_that_changes_while_it_is_asked_is_shown_anew(office: Office) -> None:
    """Somebody writes a note in between: the answer was to another question, so it is asked again."""
    office.ready()
    with Pty(office.place.arguments("sign", "morning"), env={**office.environment}, rows=60) as terminal:
        terminal.wait_for("Sign this? [y/N]")
        office.work(lambda session: session.note("", "the rack is open"))
        terminal.send(b"y\n")
        terminal.wait_for_bytes(b"has changed since it was shown")
        terminal.wait_until(lambda: terminal.output.count(b"Sign this? [y/N]") == 2)
        assert b"the rack is open" in terminal.output
        assert office.state().signed is None
        terminal.send(b"y\n")
        assert terminal.wait_exit() == 0
    state = office.state()
    assert state.signed is not None
    assert state.signed.body.statement.head_seq == state.signed.seq - 1


WRONG_USAGE = (
    (("sign", "mornin"), "did you mean 'morning'?"),
    (("sign", "morning@2020-01-01"), "there is no record of morning@2020-01-01"),
    (("sign", "morning", "--as", "approved"), "approved"),
    (("sign", "morning", "--key", "x", "--attributed"), "not several"),
    (("amend", "morning", "--reason", "x"), "one of --note, --entry, --field and --failed"),
    (("amend", "morning", "--note", "x", "--failed", "load", "--reason", "x"), "one at a time"),
    (("amend", "morning", "--failed", "load", "--item", "load", "--reason", "x"), "--item says"),
    (("amend", "morning", "--entry", "5", "--reason", "x"), "NAME=VALUE"),
    (("amend", "morning", "--note", "x"), "--reason"),
)


def test_wrong_usage(office: Office) -> None:
    """What makes no sense ends with 2 and says what would."""
    office.run("run", "morning", "--headless", "--quiet")
    for words, said in WRONG_USAGE:
        done = office.run(*words, "--yes")
        assert (done.code, done.out) == (2, ""), words
        assert said in done.err
        assert "Traceback" not in done.err


def test_what_could_not_be_saved_before_is_saved_first(office: Office) -> None:
    """A note that an earlier process had to leave beside the store is part of what is shown and signed."""
    office.ready()
    run = office.state().run
    event = Event(
        id=str(uuid.uuid4()),
        run=run,
        at=dt.datetime.now(dt.UTC),
        actor=Actor("jane", via=Via.CONSOLE),
        body=Noted("", "left behind"),
    )
    directory = office.place.state / "unsaved"
    directory.mkdir(mode=0o700)
    (directory / f"{run}.{uuid.uuid4().hex}.jsonl").write_bytes(canonical(event) + b"\n")
    done = office.run("sign", "morning", "--yes")
    assert done.code == 0, done.err
    assert "left behind" in done.out
    assert list(directory.iterdir()) == []
    assert [each.text for each in office.state().notes] == ["left behind"]


def test_a_store_that_cannot_be_written_ends_with_four(office: Office) -> None:
    """The signature is not stored, the exit code says so, and the run can be signed later."""
    office.ready()
    done = subprocess.run(
        ["prlimit", "--fsize=4096", "--", *office.place.arguments("sign", "morning", "--yes")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=office.environment,
    )
    assert done.returncode == 4, done.stderr
    assert "Traceback" not in done.stderr
    assert office.state().signed is None
    assert office.run("sign", "morning", "--yes").code == 0


# --- keys -------------------------------------------------------------------------------------------


def test_a_key_signs_what_openssh_verifies(office: Office, tmp_path: Path) -> None:
    """The best key is taken unasked, and stock ssh-keygen verifies the exported record with it."""
    fingerprint = office.add("jane@example.org", "id_ed25519", "operator")
    office.ready()
    done = office.run("sign", "morning", "--yes")
    assert done.code == 0, done.err
    assert f"jane@example.org, ssh-ed25519 {fingerprint}" in done.out
    assert EXPLAINED.findall(done.out) == ["signed with an SSH key"]
    signed = office.state().signed
    assert signed is not None
    with services(office.place.config, office.place.state, Via.COMMAND) as parts:
        documents = [each.document for each in parts.engine.store.links(office.state().run)]
    signature = tmp_path / "record.sig"
    signature.write_text(signed.body.signature.armored)
    record = record_bytes(documents[: signed.body.statement.head_seq], statement_bytes(documents[-1]))
    verified = subprocess.run(
        [
            *("ssh-keygen", "-Y", "verify", "-f", str(office.place.directory / "allowed_signers")),
            *("-I", "jane@example.org", "-n", "run@opsconsole.v1", "-s", str(signature)),
        ],
        input=record,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert verified.returncode == 0, verified.stderr
    assert b"Good" in verified.stdout


def test_a_key_that_is_not_there_is_not_replaced_by_none(office: Office) -> None:
    """People sign with keys here, and this operator has none: that is said with the way on; nothing is signed."""
    office.add("jane@example.org", "id_ed25519", "operator")
    (office.home / ".ssh" / "id_ed25519").rename(office.home / "elsewhere")
    (office.home / ".ssh" / "id_ed25519.pub").unlink()
    office.ready()
    done = office.run("sign", "morning", "--yes")
    assert done.code == 1
    assert "not signed: " in done.err
    assert "--attributed" in done.err
    assert office.state().signed is None
    assert office.run("sign", "morning", "--yes", "--attributed").code == 0


def test_four_eyes_and_a_policy(tmp_path: Path) -> None:
    """Where keys are asked for no login signs; who performed does not review, another person's key does."""
    office = Office(tmp_path, "signed")
    jane = office.add("jane@example.org", "id_ed25519", "operator", "reviewer")
    office.add("ravi@example.org", "id_ecdsa", "operator", "reviewer")
    office.ready()
    weak = office.run("sign", "morning", "--yes", "--attributed")
    assert (weak.code, weak.out) == (1, "")
    assert "asks for a sign-off that is signed" in weak.err
    unknown = office.run("sign", "morning", "--yes", "--key", "nobody@example.org")
    assert unknown.code == 1
    assert "these can: jane@example.org" in unknown.err
    assert office.run("sign", "morning", "--yes", "--key", jane).code == 0
    own = office.run("sign", "morning", "--yes", "--as", "reviewed", "--key", "jane@example.org")
    assert own.code == 1
    assert "jane@example.org has performed" in own.err
    assert office.run("sign", "morning", "--yes", "--as", "reviewed").code == 0, "the key that may is chosen"
    twice = office.run("sign", "morning", "--yes", "--as", "reviewed")
    assert (twice.code, twice.out) == (1, "")
    assert [each.body.signature.principal for each in office.state().signatures] == [
        "jane@example.org",
        "ravi@example.org",
    ]
    assert office.run("verify", "--all").code == 0


def test_a_password_is_asked_for_on_a_terminal_only(office: Office) -> None:
    """Where nothing takes passwords, that is said; no password is ever read from a pipe."""
    office.ready()
    done = office.run("sign", "morning", "--yes", "--reauthenticate")
    assert done.code == 1
    assert "passwords cannot be asked for here" in done.err
    script = "from opsconsole.cli.asking import _password; _password('jane')"
    piped = subprocess.run(
        ["setsid", sys.executable, "-c", script],
        input="canary-password\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=office.environment,
    )
    assert "a password is only asked for on a terminal" in piped.stderr
    assert "canary-password" not in piped.stdout + piped.stderr
    with Pty([sys.executable, "-c", f"{script}; print('taken')"], env=office.environment) as terminal:
        terminal.wait_for("Password of jane:")
        terminal.send(b"canary-password\n")
        terminal.wait_for("taken")
        assert b"canary-password" not in terminal.output


# --- amend ------------------------------------------------------------------------------------------


def test_amendments_follow_one_another(office: Office) -> None:
    """Old and new value, result before and after, each signed with its reason; reviewed runs are amended too."""
    office.add("jane@example.org", "id_ed25519", "operator")
    office.add("ravi@example.org", "id_ecdsa", "reviewer")
    office.ready()
    assert office.run("sign", "morning", "--yes").code == 0
    assert office.run("sign", "morning", "--yes", "--as", "reviewed", "--key", "ravi@example.org").code == 0
    expected = {
        ("--note", "seen at 09:00", "--item", "load"): ("note        seen at 09:00", "PASS, as before"),
        ("--field", "notes=all well"): ("old         nothing", "new         all well"),
        ("--field", "notes=all = well"): ("old         all well", "new         all = well"),
        ("--entry", "tickets=7"): ("old         5 (PASS)", "new         7 (PASS: "),
        ("--entry", "tickets=12"): ("new         12 (FAIL: ", "PASS -> FAIL"),
        ("--entry", "tickets=6"): ("old         12 (FAIL)", "FAIL, as before"),
        ("--failed", "load"): ("old         PASS: load1 is ", "FAIL, as before"),
    }
    for words, told in expected.items():
        done = office.run("amend", "morning", *words, "--reason", "looked again", "--yes")
        assert done.code == 0, done.err
        for each in (*told, "reason      looked again", "signed with an SSH key"):
            assert each in done.out, (words, done.out)
    state = office.state()
    assert (state.result.value, state.passed, len(state.amendments)) == ("FAIL", False, 7)
    assert state.items["tickets"].typed is not None
    assert state.items["tickets"].typed.body.text == "6"
    log = office.run("export", "morning", "--format", "json").out
    assert all(each in log for each in ("12", "all = well", "looked again"))
    assert office.run("verify", "--all").code == 0
    assert "FAIL" in office.run("history").out


NO_AMENDMENTS = (
    (("--note", "x", "--item", "nothing"), "has no item 'nothing'"),
    (("--failed", "nothing"), "it has load, tickets"),
    (("--entry", "load=5"), "takes no entry"),
    (("--entry", "tickets=5"), "has that entry already"),
    (("--field", "note=x"), "has no field 'note'; it has notes"),
    (("--note", " "), "some words are needed"),
)


def test_what_cannot_be_amended(office: Office) -> None:
    """It ends with 1 and says why, first of all that the run is not signed; nothing is stored."""
    office.ready()
    unsigned = office.run("amend", "morning", "--note", "x", "--reason", "x", "--yes")
    assert unsigned.code == 1
    assert "is not signed yet" in unsigned.err
    office.run("sign", "morning", "--yes")
    before = office.state().last_seq
    for words, said in NO_AMENDMENTS:
        done = office.run("amend", "morning", *words, "--reason", "x", "--yes")
        assert (done.code, done.out) == (1, ""), words
        assert said in done.err
    assert office.state().last_seq == before


def test_two_scripts_amend_at_once(office: Office) -> None:
    """Neither is lost: what was refused because the other came first is made again and stored."""
    office.ready()
    office.run("sign", "morning", "--yes")
    processes = [
        subprocess.Popen(
            office.place.arguments("amend", "morning", "--note", f"note {each}", "--reason", "both", "--yes"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=office.environment,
        )
        for each in range(3)
    ]
    for process in processes:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
    assert sorted(each.text for each in office.state().notes) == ["note 0", "note 1", "note 2"]
    assert office.run("verify", "--all").code == 0


def test_a_run_is_amended_when_its_checklist_is_gone(office: Office) -> None:
    """Years later nobody has the file any more; the record knows its definition, and texts stay harmless."""
    office.ready()
    office.run("sign", "morning", "--yes")
    run = office.state().run
    (office.place.directory / "checklists" / "morning.toml").unlink()
    done = office.run("amend", run, "--note", "an audit \x1b[31m", "--reason", "asked\nfor", "--yes")
    assert done.code == 0, done.err
    assert "\x1b" not in done.out
    assert "an audit \\x1b[31m" in done.out
    assert "  reason      asked\n              for\n" in done.out


INTERRUPTED = """
import asyncio, os, signal, sys
from opsconsole.cli.main import main
from opsconsole.engine.signing import Signing

async def interrupted(*_):
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.sleep(60)

Signing.attribute = interrupted
sys.exit(main(sys.argv[1:]))
"""


def test_ctrl_c_leaves_nothing_half(office: Office) -> None:
    """Interrupted while it is signed, the command says that it is not; it can be signed afterwards."""
    office.ready()
    words = office.place.arguments("sign", "morning", "--yes")[len(OPSCONSOLE) :]
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=office.environment,
    )
    assert done.returncode == 128 + signal.SIGINT, done.stderr
    assert "not signed" in done.stderr
    assert office.state().signed is None
    assert office.run("sign", "morning", "--yes").code == 0
    assert office.run("verify", "--all").code == 0


def test_ctrl_c_leaves_no_ssh_keygen_behind(tmp_path: Path) -> None:
    """Given up while the security key waits for its touch, the command ends, and what it had started with it."""
    office = Office(tmp_path)
    with security_key(tmp_path) as (device, agent):
        device.hangs = True
        public = tmp_path / "token.pub"
        public.write_text(f"{device.public.text} token\n", encoding="utf-8")
        words = ("people", "add", "jane@example.com", "--name", "Jane", "--role", "operator", "--key", str(public))
        assert office.run(*words).code == 0
        office.ready()
        process = subprocess.Popen(
            office.place.arguments("sign", "morning", "--yes"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**office.environment, "SSH_AUTH_SOCK": agent},
        )
        try:
            until(lambda: bool(signing_children(process.pid)), "ssh-keygen")
            (child,) = signing_children(process.pid)
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 128 + signal.SIGINT
            until(lambda: not Path(f"/proc/{child}").exists(), "the end of ssh-keygen")
        finally:
            process.kill()
            process.wait(30)
    assert office.state().signed is None


def signing_children(pid: int) -> list[int]:
    """Return the processes that a process has started to sign with ssh-keygen."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            with contextlib.suppress(OSError):
                if b"\0-Y\0sign\0" in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.append(child)
    return found
