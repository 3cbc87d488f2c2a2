"""The command line as operators, scripts and cron use it."""

import json
import os
import signal
import sqlite3
import stat
import subprocess
from pathlib import Path

import pytest

from support.command import MANUAL, Installation, installed

SLOW = """
title = "Slow"
due = { timezone = "UTC" }

[[section]]
title = "All"

[[section.item]]
id = "quick"
title = "Quick"
probe = "load"
require = ["load1 < 100000"]

[[section.item]]
id = "slow"
title = "Slow"
probe = "command"
argv = ["sleep", "60"]
timeout = "2 min"
require = ["exit_code == 0"]
"""

BAD = """
title = "Bad"
due = { timezone = "UTC" }

[[section]]
title = "All"

[[section.item]]
id = "fails"
title = "Fails"
probe = "command"
argv = ["false"]
require = ["exit_code == 0"]

[[section.item]]
id = "unseen"
title = "Unseen"
probe = "disk"
path = "/nonexistent"
require = ["used < 80%"]
"""


@pytest.fixture
def place(tmp_path: Path) -> Installation:
    """An installation with a morning that only waits for a tick."""
    return installed(tmp_path, morning=MANUAL)


def only_run(place: Installation) -> str:
    """Return the name of the one run there is."""
    return place.run("history").out.splitlines()[1].split()[0]


# --- exit codes ------------------------------------------------------------------------------------


def test_exit_codes(tmp_path: Path) -> None:
    """0 waits for a person, 1 fails, 3 could not be measured, 4 was not saved; what is asked for adds to it."""
    unseen = BAD.replace('["false"]', '["true"]')
    warns = MANUAL.replace('require = ["load1 < 100000"]', 'require = ["load1 >= 0"]\ntarget = ["load1 > 100000"]')
    place = installed(tmp_path, morning=MANUAL, bad=BAD, unseen=unseen, warns=warns)
    expected = {
        ("morning",): 0,
        ("morning", "--fail-on", "pending"): 1,
        ("warns",): 0,
        ("warns", "--fail-on", "warn"): 1,
        ("bad",): 1,
        ("unseen",): 3,
    }
    for words, code in expected.items():
        assert place.run("run", *words, "--headless", "--quiet").code == code, words


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "mornin", "--headless"), "did you mean 'morning'?"),
        (("run", "morning", "--headless", "--date", "yesterday"), "'yesterday' is no date"),
        (("run", "morning@2026-W60", "--headless"), "names no run of a daily checklist"),
        (("run", "morning", "--headless", "--only", "lod"), "morning has no item 'lod'; it has look, load"),
        (("run", "morning", "--headless", "--format", "yaml"), "yaml"),
        (("run",), "Missing argument 'ID'."),
        (("report",), "Missing argument 'KIND'. Choose from: daily, weekly, monthly, quarterly"),
        (("export", "morning@2020-01-01"), "there is no record of morning@2020-01-01"),
        (("verify",), "name the runs to verify, or say --all"),
        (("frobnicate",), "No such command 'frobnicate'"),
        (("run", "morning"), "opsconsole run ID --headless"),
        ((), "opsconsole run ID --headless"),
    ],
)
def test_wrong_usage(place: Installation, words: tuple[str, ...], said: str) -> None:
    """What makes no sense ends with 2, says what would, and shows no traceback."""
    done = place.run(*words)
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err
    assert done.out == ""


def test_a_broken_checklist_is_named_and_harms_no_other(place: Installation) -> None:
    """A typo in one file stops that checklist alone, and says where it is."""
    place.write("broken", MANUAL.replace("require", "requre"))
    done = place.run("run", "broken", "--headless")
    assert done.code == 2
    assert "did you mean 'require'?" in done.err
    assert place.run("run", "morning", "--headless").code == 0
    assert place.run("lint").code == 2


def test_a_broken_configuration(tmp_path: Path) -> None:
    """Every problem of the configuration is told at once, and nothing is run."""
    place = installed(tmp_path, "[run]\nconcurrency = 0\n[surces.x]\nkind = 'postgresql'\n", morning=MANUAL)
    done = place.run("run", "morning", "--headless")
    assert done.code == 2
    assert "concurrency" in done.err
    assert "did you mean 'sources'?" in done.err


# --- formats and files -----------------------------------------------------------------------------


def test_formats(place: Installation) -> None:
    """stdout carries one format and nothing else."""
    document = json.loads(place.run("run", "morning", "--headless", "--format", "json").out)
    assert document["schema"] == "opsconsole.run.v1"
    assert place.run("run", "morning", "--headless", "--format", "markdown").out.startswith("# ")
    assert "PENDING  Look at the dashboard" in place.run("run", "morning", "--headless").out


def test_output_is_written_in_one_step(place: Installation, tmp_path: Path) -> None:
    """A file is replaced whole, readable by its owner alone."""
    target = tmp_path / "morning.md"
    target.write_text("before")
    assert place.run("run", "morning", "--headless", "--format", "markdown", "--output", str(target)).code == 0
    assert target.read_text().startswith("# ")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []


def test_what_cannot_be_saved_ends_with_four(place: Installation, tmp_path: Path) -> None:
    """Neither a record nor an output file that cannot be written is passed over."""
    place.run("run", "morning", "--headless", "--quiet")
    full = ["prlimit", "--fsize=4096", "--"]
    done = subprocess.run(
        [*full, *place.arguments("run", "morning", "--headless")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=place.environment(),
    )
    assert done.returncode == 4
    assert "Traceback" not in done.stderr
    assert done.stderr
    done = subprocess.run(
        [*full, *place.arguments("export", "morning", "--format", "json", "--output", str(tmp_path / "run"))],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=place.environment(),
    )
    assert done.returncode in {0, 4}
    (tmp_path / "state").rename(tmp_path / "elsewhere")
    (tmp_path / "state").write_text("no directory")
    done2 = place.run("run", "morning", "--headless")
    assert done2.code == 4
    assert "Traceback" not in done2.err


# --- runs ------------------------------------------------------------------------------------------


def test_runs_are_resumed_and_recorded(place: Installation) -> None:
    """The second measurement of a day goes into the same run; history, export and verify find it."""
    place.run("run", "morning", "--headless", "--quiet")
    place.run("run", "morning", "--headless", "--quiet")
    run = only_run(place)
    exported = [json.loads(place.run("export", name, "--format", "json").out) for name in (run, "morning")]
    assert exported[0].pop("exported") != exported[1].pop("exported")
    assert exported[0] == exported[1]
    done = place.run("verify", "--all")
    assert done.code == 0
    assert done.out.startswith("3 events of 1 run, head 3 ")
    assert run in place.run("verify", run).out


def test_date(place: Installation) -> None:
    """A run of an earlier business date is a run of its own, and can be named."""
    place.then("morning", "2026-11-02")
    assert only_run(place) == "morning@2026-11-02"
    assert place.run("run", "morning@2026-11-02", "--headless", "--quiet").code == 0
    assert place.run("run", "morning", "--headless", "--quiet", "--date", "2026-11-02").code == 0
    assert len(place.run("history").out.splitlines()) == 2


def test_cron(place: Installation) -> None:
    """No terminal, no HOME, hardly an environment: it runs and says nothing it was not asked for."""
    bare = {name: os.environ[name] for name in ("PATH", "XDG_STATE_HOME")}
    done = place.run("run", "morning", "--headless", "--quiet", env=bare)
    assert (done.code, done.err) == (0, "")
    assert all(ord(char) < 128 for char in done.out)


def test_two_at_once(tmp_path: Path) -> None:
    """Two jobs of the same minute: one measures, the other joins, both end well, the chain is intact."""
    place = installed(tmp_path, slow=SLOW.replace('"60"', '"0.5"'))
    jobs = [
        subprocess.Popen(
            place.arguments("run", "slow", "--headless", "--format", "json"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=place.environment(),
        )
        for _ in range(2)
    ]
    results = [(*job.communicate(timeout=60), job.returncode) for job in jobs]
    assert [code for _, _, code in results] == [0, 0]
    for out, _, _ in results:
        assert {item["outcome"] for item in json.loads(out)["items"]} == {"PASS"}
    assert place.run("verify", "--all").code == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_interrupting_leaves_a_resumable_run(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """Ctrl-C and SIGTERM end the probes with their children; what was measured is kept."""
    place = installed(tmp_path, slow=SLOW)
    job = subprocess.Popen(
        place.arguments("run", "slow", "--headless"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=place.environment(),
    )
    wait_for_event(place, '"measured"')
    job.send_signal(number)
    out, err = job.communicate(timeout=20)
    assert (job.returncode, out) == (code, "")
    assert "can be resumed" in err
    assert children_of(job.pid) == []
    state = place.run("export", "slow", "--format", "text").out
    assert "PASS" in state
    assert place.run("run", "slow", "--headless", "--only", "quick", "--quiet").code == 0


def wait_for_event(place: Installation, text: str) -> None:
    """Wait until an event of that kind is in the store."""
    database = place.state / "opsconsole.db"
    for _ in range(2000):
        if database.exists():
            try:
                with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
                    rows = connection.execute("select document from events").fetchall()
            except sqlite3.OperationalError:
                rows = []
            if any(text.encode() in document for (document,) in rows):
                return
        subprocess.run(["true"], check=True)
    raise AssertionError(f"no event with {text}")


def children_of(pid: int) -> list[str]:
    """Return the processes that were started by a process and its children: those of its session."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[:2] == [b"sleep", b"60"]:
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                if parent in {str(pid), "1"}:
                    found.append(entry.name)
    return found


# --- what is wrong, and what there is --------------------------------------------------------------


def test_verify_names_the_first_bad_event(place: Installation) -> None:
    """Somebody edits the database by hand: verify says which event does not fit."""
    for _ in range(3):
        place.run("run", "morning", "--headless", "--quiet")
    with sqlite3.connect(place.state / "opsconsole.db") as connection:
        for (name,) in connection.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            connection.execute(f'drop trigger "{name}"')
        connection.execute(
            "update events set document = cast(replace(document, 'PASS', 'FAIL') as blob) where seq = 3"
        )
    connection.close()
    done = place.run("verify", "--all")
    assert done.code == 1
    assert "BROKEN at event 3" in done.err


def test_list_show_and_config(place: Installation) -> None:
    """The checklists, one of them, and where each setting comes from."""
    assert "morning" in place.run("list").out
    shown = place.run("show", "morning").out
    assert "load: Load (load)" in shown
    assert "require load1 < 100000" in shown
    config = place.run("config", "show").out
    assert f"{place.config.name}:1" in config
    assert place.run("config", "path").out.strip() == str(place.config)


def test_lint_is_quiet_about_what_is_well(place: Installation) -> None:
    """A clean set of files ends with 0 and says so."""
    done = place.run("lint")
    assert (done.code, done.out, done.err) == (0, "", "no problems found\n")


def test_the_doctor(place: Installation) -> None:
    """The doctor looks at checklists, record and host."""
    place.run("run", "morning", "--headless", "--quiet")
    done = place.run("doctor")
    assert done.code == 0
    assert "checklists: usable: morning" in done.out
    assert "record integrity: SQLite finds no damage" in done.out


def test_the_doctor_sees_that_no_record_can_be_made(place: Installation) -> None:
    """What the first run would trip over is told before, not called well."""
    assert "is made by the first run" in place.run("doctor").out
    place.state.parent.mkdir(parents=True, exist_ok=True)
    place.state.write_text("in the way of a directory")
    done = place.run("doctor")
    assert done.code == 1
    assert f"FAIL  record: {place.state}/opsconsole.db cannot be made: {place.state} is no directory" in done.out


def test_the_doctor_sees_that_the_record_may_not_be_made(place: Installation) -> None:
    """A state directory below one that this account cannot write to."""
    above = place.state.parent / "above"
    above.mkdir(mode=0o500)
    # To root every directory is open, but for what it may not do itself.
    plainly = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--"] if os.geteuid() == 0 else []
    done = place.run("--state", str(above / "state"), "doctor", through=plainly)
    assert done.code == 1
    assert f"cannot be made: this account cannot write to {above}" in done.out
    above.chmod(0)
    done = place.run("--state", str(above / "state"), "doctor", through=plainly)
    assert done.code == 1
    assert f"FAIL  record: {above}/state/opsconsole.db cannot be used: Permission denied" in done.out
    above.chmod(0o700)


def test_before_anything_is_configured(tmp_path: Path) -> None:
    """With no configuration at all the host's own checklist is there and can be run."""
    arguments = ["list"]
    place = installed(tmp_path)
    place.config.write_text("")
    assert "host-daily" in place.run(*arguments).out
    done = place.run("run", "host-daily", "--headless", "--quiet", "--format", "json")
    assert done.code in {0, 1}
    outcomes = {item["id"]: item["outcome"] for item in json.loads(done.out)["items"]}
    assert set(outcomes) == {"disks", "inodes", "memory", "load", "failed-units"}
    assert "ERROR" not in outcomes.values()
