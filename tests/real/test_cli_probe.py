"""`probe` and `prove`: what somebody who writes a checklist asks."""

import json
import re
from pathlib import Path

import pytest

from opsconsole.wiring.kinds import BUILT_IN
from support.command import Installation, installed

LIST = """
title = "Morning"

[[section]]
title = "Host"

[[section.item]]
id = "listing"
title = "The listing"
probe = "command"
argv = ["printf", "one"]
require = ["exit_code == 0", "lines >= 0", "stdout matches /.*/"]

[[section.item]]
id = "disk"
title = "Room"
probe = "disk"
path = "/nonexistent"
require = ["used < 80%"]
"""


@pytest.fixture
def place(tmp_path: Path) -> Installation:
    """An installation with one checklist."""
    return installed(tmp_path, morning=LIST)


def test_probe_shows_all_that_is_known(place: Installation) -> None:
    """Measures, evidence, how to see the same by hand, and what conditions may speak of; nothing is kept."""
    done = place.run("probe", "disk", "--path", "/")
    assert done.code == 0
    for text in (
        "measures",
        "used",
        "evidence  file system",
        "by hand   df -h",
        "conditions may speak of",
        "used (%)",
    ):
        assert text in done.out
    assert place.run("history").out.splitlines()[1:] == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("disk", "--require", "free > 1 B"), 0, "outcome   PASS"),
        (("disk", "--require", "free < 1 B"), 1, "outcome   FAIL"),
        (("disk", "--path=/nonexistent"), 3, "problem   not-found"),
        (("command", "--argv", "printf", "--argv", "a\\033[2Jb"), 0, r"a\x1b[2Jb"),
        (("command", "--argv", '["printf", "x"]', "--require", "stdout == 'x'"), 0, "outcome   PASS"),
        (("disk", "--all"), 0, "rows ("),
    ],
)
def test_probe_takes_the_keys_of_an_item(place: Installation, words: tuple[str, ...], code: int, said: str) -> None:
    """Options are written like keys: lists by repeating them or in brackets, flags alone."""
    done = place.run("probe", *words)
    assert done.code == code, done.err
    assert said in done.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("dsk",), "did you mean 'disk'?"),
        (("disk", "--pth", "/"), "did you mean 'path'?"),
        (("disk", "--require", "usd < 80%"), "did you mean 'used'?"),
        (("disk", "path"), "'path' is no option"),
        (("disk", "--path"), "--path needs a value"),
        (("disk", "--path", "/", "--path", "/tmp"), "--path is given twice"),
        (("sql", "--source", "db", "--query", "delete from x"), "query"),
        (("disk", "--json"), "--json stands ahead of the kind: opsconsole probe --json disk"),
        (("backup",), "path: is missing\n  `opsconsole probe backup --help` says what each key means"),
        (("history", "--item", "disk"), "checklist: is missing: here it is not known whose item 'disk' is"),
    ],
)
def test_probe_says_what_is_wrong(place: Installation, words: tuple[str, ...], said: str) -> None:
    """A mistake is told as lint tells it, without a traceback."""
    done = place.run("probe", *words)
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err


def test_a_command_of_several_lines_can_be_pasted(place: Installation) -> None:
    """The line ends within a quotation are line ends: spelled out, the shell would run something else."""
    done = place.run("probe", "command", "--argv", "printf", "--argv", "a\nb\\n")
    assert done.out.endswith("\nby hand   printf 'a\nb\\n'\n" + done.out[done.out.index("conditions may speak") :])


def test_probe_shows_texts_as_they_are(place: Installation) -> None:
    """An empty text is told from a missing one, and no line ends in the carriage return that the output has."""
    done = place.run("probe", "command", "--argv", "printf", "--argv", "one\\r\\n")
    assert "standard output\n  one\n" in done.out
    empty = place.run("probe", "command", "--argv", "true").out
    assert re.search(r"^  stdout +\(empty\)$", empty, re.MULTILINE)


def test_probe_lists_and_describes_the_kinds(place: Installation) -> None:
    """All kinds with a sentence each, and the options of each."""
    listed = {line.split()[0] for line in place.run("probe").out.splitlines()}
    assert set(BUILT_IN) <= listed
    for kind in ("command", "disk", "http", "sql"):
        done = place.run("probe", kind, "--help")
        assert done.code == 0, done.err
        assert done.out.startswith(f"{kind}: ")


def test_probe_as_json(place: Installation) -> None:
    """Programs read the same."""
    (measured,) = json.loads(place.run("probe", "--json", "disk").out)
    assert measured["reading"]["measures"]["used"]["unit"] == "%"


def test_prove_tells_what_nothing_can_break(place: Installation) -> None:
    """What was not measured is unseen; then each condition is broken, and those that cannot be are told."""
    assert place.run("prove", "morning").code == 3
    place.run("run", "morning", "--headless")
    done = place.run("prove", "morning")
    assert done.code == 1
    assert "goes red   require exit_code == 0: exit_code = 1" in done.out
    assert "doubtful   require lines >= 0" in done.out
    assert "never red  require stdout matches /.*/" in done.out
    assert "not seen   require used < 80%: it was never measured" in done.out
    quiet = place.run("prove", "morning", "--quiet")
    assert "goes red" not in quiet.out
    found = json.loads(place.run("prove", "morning", "--json").out)
    assert [each["item"] for each in found] == ["listing", "disk"]
    assert place.run("prove", "nothing").code == 2
