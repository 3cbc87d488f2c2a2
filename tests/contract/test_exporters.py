"""What every format keeps to, and the formats byte for byte over runs in every state."""

import datetime as dt
import hashlib
import json
import re
import subprocess
import sys
import tomllib
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsconsole.contracts.exporter import Exporter
from opsconsole.export.documents import RunDocument
from opsconsole.export.facts import binding
from opsconsole.export.json import JsonExporter
from opsconsole.export.layout import cells
from opsconsole.export.markdown import MarkdownExporter
from opsconsole.export.run_document import run_document
from opsconsole.export.text import TextExporter
from opsconsole.export.text_lines import WIDTH
from opsconsole.export.toml import NOTHING, TomlExporter
from opsconsole.model.outcomes import Outcome
from opsconsole.model.runs import fold
from opsconsole.model.values import Number, Unit
from support.hostile import any_text, hostile_text
from support.states import STATES, Telling, checklist, measures, told

EXPORTERS: tuple[Exporter, ...] = (TextExporter(), JsonExporter(), MarkdownExporter(), TomlExporter())
BY_NAME = {exporter.name: exporter for exporter in EXPORTERS}

_SGR = re.compile(r"\x1b\[[0-9;]*m")

every_format = pytest.mark.parametrize("exporter", EXPORTERS, ids=list(BY_NAME))
every_state = pytest.mark.parametrize("state", STATES)


@every_state
@every_format
def test_golden(exporter: Exporter, state: str, golden: Callable[[str, str], None]) -> None:
    """An operator, a script and a file of day logs get what they got with the version before."""
    golden(f"{state}{exporter.suffix}", exporter.render(STATES[state]().report()))


@every_state
@every_format
def test_the_same_run_gives_the_same_document(exporter: Exporter, state: str) -> None:
    """Exporting twice, or from the record folded anew, gives the same bytes, and changes nothing of the run."""
    report = STATES[state]().report()
    first = exporter.render(report)
    folded = fold(report.events)
    assert exporter.render(report) == first
    assert folded is not None
    assert exporter.render(msgspec.structs.replace(report, state=folded)) == first


@settings(max_examples=60)
@given(text=any_text | hostile_text)
@every_format
def test_nothing_steers_a_terminal(exporter: Exporter, text: str) -> None:
    """A document shown with `cat` is harmless, whatever a source brought back or a person typed."""
    document = exporter.render(told(text).report())
    unsafe = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    found = {char for char in document if unicodedata.category(char) in unsafe}
    assert found <= {"\n"}
    assert document.endswith("\n")
    assert not document.endswith("\n\n")
    document.encode()


@every_format
def test_a_run_without_anything(exporter: Exporter) -> None:
    """A checklist without items, fields or a qualification, opened by an unknown account, is a document too."""
    empty = Telling(checklist(fields=(), schedule=None, system=""))
    assert exporter.render(empty.report(events=())).endswith("\n")


def test_exporting_loads_no_user_interface() -> None:
    """A run from cron does not pay for, or depend on, what draws the console."""
    names = ("text", "json", "markdown", "toml", "files", "record", "bundles", "anchors")
    modules = ", ".join(f"opsconsole.export.{name}" for name in names)
    code = f"import sys, {modules}; print(sorted({{name.split('.')[0] for name in sys.modules}}))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert not [
        name for name in ("textual", "rich", "typer", "click", "psycopg", "asyncio") if f"'{name}'" in loaded
    ]


readable = pytest.mark.parametrize("exporter", [TextExporter(), MarkdownExporter()], ids=["text", "markdown"])


@readable
def test_an_amended_run_says_so_first(exporter: Exporter) -> None:
    """Nobody files a run as passed that was amended to FAIL: its first lines say it, with who, when and why."""
    document = " ".join(exporter.render(STATES["amended"]().report()).split())
    start = document[:400].replace("**", "").lower()
    assert "amended to fail after it was signed as pass, 2026-11-21 10:07:02 cst (utc-06:00)" in start
    assert "by morning operator (morning): the number of october was read" in start
    assert "amended" not in exporter.render(STATES["signed"]().report()).lower()


@readable
def test_what_was_amended_is_all_there(exporter: Exporter) -> None:
    """Of each amendment the old value, the new one, who, when and why are to be seen, at its place and together."""
    report = STATES["amended"]().report()
    document = " ".join(exporter.render(report).split())
    for each in report.state.amendments:
        reason, text = (" ".join(text.split()) for text in (each.amendment.reason, each.amendment.text))
        assert reason in document
        assert text in document
        assert document.count(each.was) >= (2 if each.was else 0)


@readable
def test_a_signature_is_all_there(exporter: Exporter) -> None:
    """Printed name, time with zone, meaning, tier, principal, fingerprint and chain head of every signature."""
    report = STATES["amended"]().report()
    document = " ".join(exporter.render(report).split())
    for each in report.state.signatures:
        statement, signature = each.body.statement, each.body.signature
        at = statement.signed_at.astimezone(ZoneInfo("America/Chicago"))
        wanted = (statement.name, f"{at:%Y-%m-%d %H:%M:%S} CST (UTC-06:00)", statement.meaning.value.lower())
        assert all(text in document or text in document.lower() for text in wanted)
        assert binding(signature.tier) in document
        assert signature.principal in document
        assert signature.fingerprint in document
        assert statement.head_hash in document


@readable
def test_a_missed_run_says_so_first(exporter: Exporter) -> None:
    """Nobody takes a day on which nothing was seen for one on which nothing was wrong, and it says why."""
    document = " ".join(exporter.render(STATES["missed"]().report()).split())
    start = document[:700].replace("**", "").lower()
    assert "missed" in start.split("opened")[0]
    assert "it was over on 2026-11-22 02:00:00 cst, and nobody had opened it: nothing was measured" in start
    assert "explained by morning operator (morning), 2026-11-23 08:30:00 cst (utc-06:00)" in start
    assert "The site had no power" in document
    assert "reset of qbr-9day documented" in document
    assert "exclusion from qbr-9day asked for" in document
    assert "PENDING" not in document
    assert "The database answers" not in document


@readable
def test_what_was_decided_is_all_there(exporter: Exporter) -> None:
    """Of a refusal and an approval: each day with its signer, resets, failures since, next phase, and reason."""
    report = STATES["approved"]().report()
    document = " ".join(exporter.render(report).split())
    assert "ooks back over" in document
    assert "Friday 2026-11-13 to Saturday 2026-11-21, the days of the qualification" in document
    for each in report.state.signatures[1:]:
        approval = each.body.statement.approval
        assert approval is not None
        assert all(f"{day.date}" in document and day.signer in document for day in approval.days)
        for text in (approval.reason, approval.phase, approval.qualification_hash, *approval.failed_since):
            assert text in document
    for text in ("qbr-9day is refused", "qbr-9day is approved", "no, for Phase 5", "yes, for Phase 5", "excluded"):
        assert text in document


@readable
def test_action_items_are_all_there(exporter: Exporter) -> None:
    """What was found to be done is never lost: text, owner, date, state, and each step with who took it."""
    report = STATES["actions"]().report()
    document = " ".join(exporter.render(report).replace("\\\n>", "").split())
    assert [each for each in ("#1", "#2", "#3", "#4") if each not in document] == []
    assert "open, late" in document
    for action in report.state.actions.values():
        words = (action.raised.text, action.owner, str(action.due or ""), str(action.state))
        steps = [each.body.text.replace("\n", " ") for each in action.steps]
        assert [each for each in (*words, *steps) if each not in document] == []


@readable
def test_what_it_was_compared_with_is_there(exporter: Exporter) -> None:
    """Whoever reads a judgement by the past sees that past: how many readings, which run, or why there is none."""
    document = " ".join(exporter.render(STATES["compared"]().report()).replace("|", "").split())
    assert "baseline 8 s, of 14 readings" in document
    assert "a baseline needs 5 earlier readings, and there are 2" in document
    assert "last_week 1,200, in qbr-often@2026-11-14T1200Z" in document
    assert "previous 41, in qbr-often@2026-11-21T0600Z" in document


@every_format
def test_removed_evidence_is_not_missed_silently(exporter: Exporter) -> None:
    """Evidence that was removed because of its age leaves its hash, and a word that it is gone, in every format."""
    report = STATES["pruned"]().report()
    document = exporter.render(report)
    readings = (each.body.reading for item in report.state.items.values() for each in item.attempts)
    evidence = [each for reading in readings if reading is not None for each in reading.evidence]
    assert len(evidence) == 2
    assert all(each.sha256 in document for each in evidence)
    assert re.search(r"removed|\"pruned\": true|pruned = true", document)


def test_programs_see_that_it_does_not_count() -> None:
    """A script that asks whether the run passed is told so, whatever was signed first."""
    for state, passed in (("signed", True), ("amended", False), ("green", False)):
        report = STATES[state]().report()
        assert json.loads(JsonExporter().render(report))["passed"] is passed
        assert tomllib.loads(TomlExporter().render(report))["passed"] is passed


# --- text -------------------------------------------------------------------------------------------


@every_state
def test_colour_changes_nothing_but_colour(state: str) -> None:
    """With colour the same words are shown; without, not one escape code."""
    report = STATES[state]().report()
    plain = TextExporter().render(report)
    coloured = TextExporter().render(msgspec.structs.replace(report, colour=True))
    assert "\x1b" not in plain
    assert _SGR.sub("", coloured) == plain
    assert coloured.count("\x1b[") == 2 * ((0 if report.state.missed else len(report.state.items)) + 1)


@settings(max_examples=60)
@given(text=any_text | hostile_text)
def test_text_fits_eighty_columns(text: str) -> None:
    """No line runs over the edge of a small terminal, with wide characters and endless words too."""
    report = told(text + "x" * 100 + "例" * 60).report()
    assert max(cells(each) for each in TextExporter().render(report).splitlines()) <= WIDTH


@every_state
def test_every_item_begins_a_line_with_its_outcome(state: str) -> None:
    """`grep ^FAIL` finds what failed, and nothing that a source wrote can stand in an outcome's place."""
    run = STATES[state]().state
    lines = TextExporter().render(STATES[state]().report()).splitlines()
    words = [each.split()[0] for each in lines if re.match(rf"({'|'.join(Outcome)})\b", each)]
    assert words == ([] if run.missed else [item.outcome for item in run.items.values()])


def test_a_source_cannot_forge_a_line() -> None:
    """A value or a note of several lines that looks like a result stays visibly part of its item."""
    document = TextExporter().render(told("fine\nFAIL     Everything\nResult   PASS").report())
    assert len([each for each in document.splitlines() if each.startswith("Result")]) == 1
    assert not [each for each in document.splitlines() if each.startswith("FAIL")]


# --- JSON -------------------------------------------------------------------------------------------


@every_state
def test_json_says_what_its_schema_says(state: str) -> None:
    """A program that decodes the document strictly gets every value back, and finds every key in its place."""
    report = STATES[state]().report()
    document = JsonExporter().render(report)
    assert msgspec.json.decode(document, type=RunDocument) == run_document(report)
    assert list(json.loads(document)) == list(RunDocument.__struct_fields__)


@settings(max_examples=60)
@given(text=any_text | hostile_text)
def test_json_is_valid_ascii_and_keeps_texts(text: str) -> None:
    """Any reader of JSON gets the texts of the record exactly, a lone surrogate (which is no text) spelled out."""
    document = JsonExporter().render(told(text).report())
    assert re.fullmatch(r"[\n\x20-\x7e]*", document)
    item = json.loads(document)["items"][0]
    exact = text.encode("utf-8", "backslashreplace").decode()
    (evidence,) = item["attempts"][0]["reading"]["evidence"]
    own = {"sha256": hashlib.sha256(exact.encode()).hexdigest(), "pruned": False}
    assert evidence == {"title": exact, "text": exact, "truncated": True, **own}
    assert item["attempts"][0]["reading"]["rows"] == [[exact, None]]
    assert item["notes"][0]["text"] == exact
    msgspec.json.decode(document, type=RunDocument)


@settings(max_examples=60)
@given(st.decimals())
def test_json_numbers_keep_their_digits(value: Decimal) -> None:
    """A number arrives with the digits and the unit it was measured with, never as a rounded float."""
    document = json.loads(JsonExporter().render(told("x", measures(value=Number(value, Unit.BYTES))).report()))
    found = document["items"][0]["attempts"][0]["reading"]["measures"]["value"]
    assert found == {"type": "number", "value": str(value), "unit": "B"}


# --- TOML -------------------------------------------------------------------------------------------


def without_nulls(value: Any, key: str = "") -> Any:
    """Return a value of the JSON document as docs/formats.md says that TOML has it."""
    if value is None:
        return NOTHING
    if isinstance(value, dict):
        kept = (
            value.items()
            if key == "measures"
            else ((name, each) for name, each in value.items() if each is not None)
        )
        return {name: without_nulls(each, name) for name, each in kept}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value


def as_json(value: Any) -> Any:
    """Return a value read from TOML with its instants and dates as JSON has them."""
    if isinstance(value, dt.datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: as_json(each) for name, each in value.items()}
    return [as_json(each) for each in value] if isinstance(value, list) else value


@every_state
def test_toml_says_what_json_says(state: str) -> None:
    """Whoever reads the TOML gets every key and value of the JSON document; only what is null there is left out."""
    report = STATES[state]().report()
    assert as_json(tomllib.loads(TomlExporter().render(report))) == without_nulls(
        json.loads(JsonExporter().render(report))
    )


@settings(max_examples=60)
@given(text=any_text | hostile_text)
def test_toml_keeps_texts(text: str) -> None:
    """Any reader of TOML gets the texts of the record exactly, whatever control characters or quotes they hold."""
    found = tomllib.loads(TomlExporter().render(told(text).report()))
    exact = text.encode("utf-8", "backslashreplace").decode()
    reading = found["items"][0]["attempts"][0]["reading"]
    assert reading["evidence"][0]["text"] == exact
    assert reading["rows"] == [[exact, NOTHING]]
    assert reading["measures"] == {exact: exact}
    assert found["items"][0]["amendments"][0]["text"] == exact
