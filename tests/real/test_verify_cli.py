"""`opsconsole verify`, and the alarm of a lost head, as operators, auditors and cron meet them."""

import json
import re
import sqlite3
from pathlib import Path

import pytest

from opsconsole.model.people import Role
from support.command import MANUAL, Installation, installed
from support.ssh import make_key, signer_line
from support.tampering import cut_off, tampered

PAPER = Path(__file__).parents[2] / "docs" / "verification.md"
ALL_MEASURED = MANUAL.replace(
    'id = "look"\ntitle = "Look at the dashboard"\nmanual = true\n\n[[section.item]]\n', ""
)


@pytest.fixture
def place(tmp_path: Path) -> Installation:
    """An installation with a key that may sign, and heads of its own account."""
    place = installed(
        tmp_path, '[signing]\nkey = "jane"\n[anchors]\njournal = false\ngit = "records"\n', morning=ALL_MEASURED
    )
    key = make_key(tmp_path / "jane")
    people = tmp_path / "allowed_signers"
    people.write_text(signer_line("jane@example.com", key.text, "Jane Doe", Role.OPERATOR))
    people.chmod(0o644)
    return place


def environment(place: Installation, account: str = "home") -> dict[str, str]:
    """Return the environment of an account, which remembers what it saw for itself."""
    return place.environment(XDG_STATE_HOME=str(place.directory / account))


def measured(place: Installation) -> None:
    """Measure the run of today."""
    done = place.run("run", "morning", "--headless", "--quiet", env=environment(place))
    assert done.code == 0
    assert "ALARM" not in done.err


def signed(place: Installation, *more: str) -> None:
    """Measure and sign the run of today."""
    measured(place)
    done = place.run("sign", "morning", "--yes", *more, env=environment(place))
    assert done.code == 0, done.err


def verify(place: Installation, *words: str, account: str = "home") -> tuple[int, str, str]:
    """Verify as an account."""
    done = place.run("verify", *words, env=environment(place, account))
    return done.code, done.out, done.err


def database(place: Installation) -> Path:
    """Return the file of the record."""
    return place.state / "opsconsole.db"


def test_a_record_that_holds(place: Installation) -> None:
    """Cron is told 0 and stays silent; a person sees who signed, with which key, and which anchors were asked."""
    signed(place)
    place.then("morning", "2026-11-02")
    code, out, err = verify(place, "--all")
    assert (code, err) == (0, "")
    assert re.search(r"^morning@\S+  verified  PASS, last event 3 [0-9a-f]{64}$", out, re.MULTILINE)
    assert re.search(r"performed PASS by Jane Doe \(jane@example.com\) at .*, signed SHA256:\S+: holds", out)
    assert "morning@2026-11-02  unsigned" in out
    assert "anchor git: 1 head of this record, the furthest that of event 3" in out
    assert "anchor last-seen heads: 1 head" in out
    summary = "2 runs: 1 verified, 0 attributed only, 1 unsigned, 0 not checked, 0 broken"
    assert out.splitlines()[-1].startswith(summary)
    only = verify(place, "morning@2026-11-02")
    assert only[0] == 0
    assert "1 run: 0 verified, 0 attributed only, 1 unsigned" in only[1]


def test_a_tier_can_be_asked_for(place: Installation) -> None:
    """An attributed sign-off holds; where keys are asked for it is a fault."""
    signed(place, "--attributed")
    assert verify(place, "--all")[0] == 0
    code, out, err = verify(place, "--all", "--require-tier", "signed")
    assert code == 1
    assert "  BROKEN  " in out
    assert "by a signature that is attributed; signed is asked for" in err


def test_what_cannot_be_checked_is_three(place: Installation) -> None:
    """People's keys that others can change, or none at all, prove nothing either way: neither well nor broken."""
    signed(place)
    people = place.directory / "allowed_signers"
    people.chmod(0o666)
    code, out, err = verify(place, "--all")
    assert code == 3
    assert "  unchecked  " in out
    assert "NOT CHECKED: morning@" in err
    assert "chmod o-w" in err
    people.unlink()
    code, _, err = verify(place, "--all")
    assert code == 3
    assert "names nobody" in err
    people.write_text("")
    people.chmod(0o644)
    (place.directory / "records" / ".git" / "HEAD").write_text("nonsense")
    code, out, err = verify(place, "--all")
    assert code == 3
    assert "NOT CHECKED: git:" in err


def test_an_unreadable_anchor_never_passes_silently(place: Installation) -> None:
    """A repository that was taken away is told, and is not the same as one that holds."""
    signed(place, "--attributed")
    (place.directory / "records" / ".git").rename(place.directory / "elsewhere")
    code, out, err = verify(place, "--all")
    assert code == 3
    assert "is no git repository [anchor-unreadable]" in out
    assert "NOT EVERYTHING COULD BE CHECKED" in out.splitlines()[-1]
    assert "NOT CHECKED: git:" in err


def test_a_lost_sign_off(place: Installation) -> None:
    """The sign-off of this morning was cut off: every command says so, verify fails, until it is accepted."""
    signed(place)
    tampered(database(place), cut_off(3))
    done = place.run("run", "morning", "--headless", "--quiet", env=environment(place))
    assert done.code == 0
    assert re.match(r"ALARM: event 3, which this account saw at .* is not in the record", done.err)
    assert "ALARM" in place.run("list", env=environment(place)).err
    code, out, err = verify(place, "--all")
    assert code == 1
    assert "BROKEN: last-seen heads: event 3" in err
    assert "BROKEN: git: event 3" in err
    assert "BROKEN: exports: event 3" in err
    assert out.splitlines()[-1].endswith("BROKEN")
    code, out, _ = verify(place, "--accept-head")
    assert code == 0
    assert out.startswith("accepted: event 3")
    code, out, err = verify(place, "--all")
    assert (code, err) == (0, "")
    assert "note event 3 with the hash" in out
    assert re.search(r"accepted by \S+ at \S+ \S+ \[accepted-loss\]", out)
    assert verify(place, "--all", account="auditor")[0] == 1
    assert verify(place, "--accept-head")[1] == "nothing to accept: no head is lost\n"


def test_a_wiped_record(place: Installation) -> None:
    """A record that was deleted is missed by verify, which makes no new one; begun anew, it is another one."""
    signed(place)
    database(place).unlink()
    code, out, err = verify(place, "--all")
    assert (code, out) == (3, "")
    assert "there is no record at" in err
    assert not database(place).exists()
    done = place.run("run", "morning", "--headless", "--quiet", env=environment(place))
    assert "holds another record than before" in done.err
    code, _, err = verify(place, "--all")
    assert code == 1
    assert "BROKEN: git: another record" in err
    assert "BROKEN: exports: another record" in err


def test_an_account_without_a_home_is_told(place: Installation) -> None:
    """A service account without a home works on; it is told once what it lacks, unless it asked for quiet."""
    bare = {name: value for name, value in place.environment().items() if name == "PATH"}
    script = place.directory / "sitecustomize.py"
    script.write_text(
        "from opsconsole.config import places\n"
        "def nowhere(kind): raise places.NoHomeError('this account has no home directory')\n"
        "places._xdg = nowhere\n"
    )
    bare["PYTHONPATH"] = str(place.directory)
    loud = place.run("run", "morning", "--headless", env=bare)
    assert (loud.code, loud.err.count("no home directory")) == (0, 1)
    quiet = place.run("run", "morning", "--headless", "--quiet", env=bare)
    assert (quiet.code, quiet.err) == (0, "")
    assert place.run("verify", "--accept-head", env=bare).code == 2


def test_the_document(place: Installation) -> None:
    """What a program reads is what the page promises, also where the chain is broken."""
    signed(place)
    code, out, _ = verify(place, "--all", "--format", "json")
    document = json.loads(out)
    assert (code, document["exit_code"], document["summary"]["standing"]) == (0, 0, "verified")
    assert document["schema"] == "opsconsole.verification.v1"
    assert document["chain"]["broken"] is None
    (run,) = document["runs"]
    assert (run["standing"], run["result"], run["signatures"][0]["verified"]) == ("verified", "PASS", True)
    with sqlite3.connect(database(place)) as connection:
        for (name,) in connection.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            connection.execute(f'drop trigger "{name}"')
        connection.execute("update events set document = cast(document || ' ' as blob) where seq = 2")
    connection.close()
    code, out, err = verify(place, "--all", "--format", "json")
    broken = json.loads(out)
    assert (code, broken["exit_code"], broken["summary"]["standing"]) == (1, 1, "broken")
    assert broken["chain"]["broken"]["seq"] == 2
    assert "BROKEN at event 2" in err
    promised = set(
        re.findall(r"`([a-z_]+)`", PAPER.read_text(encoding="utf-8").partition("## The JSON document")[2])
    )
    told: set[str] = set()
    for each in (document, broken):
        told |= {*each, *each["store"], *each["chain"], *each["runs"][0], *each["anchors"][0], *each["summary"]}
        told |= {key for kind in ("signatures", "findings") for one in each["runs"][0][kind] for key in one}
    assert told <= promised


def test_names(place: Installation) -> None:
    """A run that there is not is a typing error; nothing is verified then."""
    measured(place)
    code, out, err = verify(place, "morning@2020-01-01")
    assert (code, out) == (2, "")
    assert "there is no record of morning@2020-01-01" in err
    code, out, _ = verify(place, "morning")
    assert code == 0
    assert "1 run: " in out
