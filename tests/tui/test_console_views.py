"""What the screens say, as functions of a run's state: without a terminal, a store or a clock."""

import datetime as dt
import re
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from opsconsole.config.runbook_steps import parse_runbook
from opsconsole.contracts.store import RunKey
from opsconsole.engine.entering import ActionRefused
from opsconsole.engine.overview import Gap, Present, RunSummary, Today, summary_of
from opsconsole.model.actions import Action, Step
from opsconsole.model.calendar import Standing, period_of
from opsconsole.model.checklists import Cadence, Due
from opsconsole.model.events import (
    ActionState,
    Entered,
    Filled,
    Handled,
    Measured,
    Noted,
    Raised,
    Skipped,
    Ticked,
    Waived,
)
from opsconsole.model.outcomes import Outcome, Result
from opsconsole.model.readings import Evidence, Finding, Judgement, Level, Problem, Reading, Verdict
from opsconsole.model.runs import RunState
from opsconsole.model.values import Duration, Unit, number, seconds
from opsconsole.screens.action_view import action_paragraphs, action_row, due_words, step_words
from opsconsole.screens.handover_view import (
    SMALL,
    Handover,
    gap_words,
    handover_of,
    handover_paragraphs,
    handover_rows,
)
from opsconsole.screens.history_view import history_row, history_rows, missing_between
from opsconsole.screens.item_view import compact, field_paragraphs, item_paragraphs
from opsconsole.screens.palette import Entry, found
from opsconsole.screens.phrases import due, first_line, moment_near, padded
from opsconsole.screens.run_forms import expiry
from opsconsole.screens.run_view import RunLooks, head, next_open_field, run_rows
from opsconsole.screens.runbook_view import runbook_paragraphs
from opsconsole.screens.signoff_view import differences, hurdle_rows, seen_of
from opsconsole.screens.today_view import mark_of, ranked, today_rows
from opsconsole.widgets.evidence import NO_BREAK, Paragraph
from opsconsole.widgets.rows import Row
from support.runs import CHECKLIST, MORNING, OPERATOR, Chain

CHICAGO = ZoneInfo("America/Chicago")
WIDE = RunLooks(width=120)


def text_of(row: Row) -> str:
    """Return what a row says."""
    return "".join(piece.text for piece in (*row.left, *row.right))


def said(paragraphs: list[Paragraph]) -> str:
    """Return what a detail says."""
    text = "\n".join("".join(piece.text for piece in each.pieces) for each in paragraphs)
    return text.replace(NO_BREAK, " ")


def detail(state: RunState, name: str) -> str:
    """Return the detail of an item."""
    return said(item_paragraphs(state, state.items[name]))


def rows_of(state: RunState, looks: RunLooks = WIDE) -> dict[str, str]:
    """Return what the rows of a run say, by their keys."""
    return {row.key: text_of(row) for row in run_rows(state, looks)}


# --- the run's list --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "start"),
    [
        (Outcome.PASS, "[x] PASS    Collectors"),
        (Outcome.WARN, "[~] WARN    Collectors"),
        (Outcome.FAIL, "[!] FAIL    Collectors"),
        (Outcome.ERROR, "[?] ERROR   Collectors"),
        (Outcome.BLOCKED, "[=] BLOCKED Collectors"),
        (Outcome.SKIPPED, "[-] SKIPPED Collectors"),
        (Outcome.PENDING, "[ ] PENDING Collectors"),
    ],
)
def test_every_outcome_is_a_glyph_and_a_word(outcome: Outcome, start: str) -> None:
    """Each state reads without colours, and all titles stand in one column."""
    assert rows_of(Chain().measured("collectors", outcome).state())["collectors"].startswith(start)


def test_waived_item_and_its_reason() -> None:
    """A waived item says so, with its reason and its end."""
    chain = Chain().measured("collectors", Outcome.FAIL, "late")
    chain.add(Waived("collectors", "known", dt.date(2026, 11, 28)))
    assert "[w] WAIVED  Collectors" in rows_of(chain.state())["collectors"]
    text = detail(chain.state(), "collectors")
    assert "waived by  Day Operator (operator) until 2026-11-28: known" in text
    assert "to do" not in text


def test_near_limit_shows_on_a_pass() -> None:
    """A green value near its limit carries a mark."""
    near = Judgement(Outcome.PASS, "28 s", (Finding("x < 30 s", Level.REQUIRE, Verdict.NEAR, "28 s, near"),))
    body = Measured(item="collectors", judgement=near, started_at=MORNING, elapsed=seconds(1))
    assert rows_of(Chain().add(body).state())["collectors"].startswith("[x] PASS ^  Collectors")


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_is_a_glyph_and_a_word(verdict: Verdict) -> None:
    """Whatever a condition came to can be opened and read, also that there is no past to compare with yet."""
    judged = Judgement(Outcome.ERROR, "no", (Finding("value < baseline", Level.REQUIRE, verdict, "because"),))
    body = Measured(item="collectors", judgement=judged, started_at=MORNING, elapsed=seconds(1))
    text = detail(Chain().add(body).state(), "collectors")
    assert re.search(r"\[[x!?]\] \w[\w ]+ required value < baseline\n    because", text)


def test_measuring_unsaved_and_noted_rows() -> None:
    """A row says that it is being measured, that something of it is not saved, or that it has a note."""
    state = Chain().measured("collectors", Outcome.PASS).add(Noted("look", "seen")).state()
    shown = rows_of(state, RunLooks(measuring={"collectors"}, unsaved={"tickets"}, width=120))
    assert shown["collectors"].startswith("[.] READING")
    assert shown["tickets"].endswith("NOT SAVED")
    assert shown["look"].endswith("noted")


def test_filter_keeps_what_is_not_green() -> None:
    """Passes, skips and filled lines go; headings without items go with them; what is unsaved stays."""
    chain = Chain().measured("collectors", Outcome.PASS).measured("disk", Outcome.PASS, target="/")
    chain.measured("disk", Outcome.PASS, target="/var").add(Skipped("tickets", "holiday"))
    looks = RunLooks(only_not_green=True, width=120)
    assert list(rows_of(chain.state(), looks)) == ["section:1", "look"]
    kept = rows_of(chain.state(), RunLooks(only_not_green=True, unsaved={"collectors"}, width=120))
    assert "collectors" in kept


def test_summaries_only_where_there_is_room() -> None:
    """A narrow list shows whole titles instead of the beginnings of summaries."""
    state = Chain().measured("collectors", Outcome.FAIL, "one is missing").state()
    assert "one is missing" in rows_of(state, RunLooks(width=80))["collectors"]
    assert "one is missing" not in rows_of(state, RunLooks(width=40))["collectors"]


def test_sheet_lines_and_the_next_one() -> None:
    """A wanted line comes before an empty one; a filled one shows its text."""
    chain = Chain().measured("collectors", Outcome.FAIL)
    assert rows_of(chain.state())["field:issues"].startswith("[ ] TO FILL Issues found")
    assert next_open_field(chain.state()) == "field:issues"
    chain.add(Filled("issues", "slow\nvery"))
    assert "slow …" in rows_of(chain.state())["field:issues"]
    assert next_open_field(chain.state()) == "field:notes"
    assert next_open_field(Chain(msgspec.structs.replace(CHECKLIST, fields=())).state()) is None


def test_head_names_the_day_and_the_result() -> None:
    """The top line says which run it is and whether it failed already."""
    left, right = head(Chain().measured("collectors", Outcome.FAIL).state(), None, mode="read only")
    assert "".join(each.text for each in left) == "QBR daily monitoring · Sat 2026-11-21 · read only"
    assert right[0].text == "FAIL so far"


# --- the detail ------------------------------------------------------------------------------------------


def test_detail_begins_with_the_answer_and_says_what_to_do() -> None:
    """Outcome, what was seen, cause and hint come first; then the keys that help."""
    problem = Problem("source-down", "no route to db01", "ask the network team")
    body = Measured(
        item="collectors",
        judgement=Judgement(Outcome.ERROR, problem.cause),
        started_at=MORNING,
        elapsed=seconds(2),
        problem=problem,
    )
    lines = detail(Chain().add(body).state(), "collectors").splitlines()
    assert lines[:3] == ["[?] ERROR  Collectors", "no route to db01", "hint  ask the network team"]
    assert lines[3].startswith("to do  r again   n note   w waive")
    assert "To be measured against" in lines


def test_detail_of_targets() -> None:
    """An item with targets shows each with its own cause, attempts and reading."""
    chain = (
        Chain().measured("disk", Outcome.PASS, target="/").measured("disk", Outcome.ERROR, "gone", target="/var")
    )
    text = detail(chain.state(), "disk")
    assert "/var: cause  gone" in text
    assert "/, took 250 ms" in text


def test_detail_of_an_entry_and_its_attempts() -> None:
    """What was typed, by whom and when, what it was compared with, and every attempt, the last first."""
    chain = Chain().measured("tickets", Outcome.PENDING, "first").measured("tickets", Outcome.PENDING, "second")
    state = chain.state()
    value = number(412)
    finding = Finding("entry within 1% of value", Level.REQUIRE, Verdict.HOLDS, "412 entered")
    chain.add(
        Entered("tickets", value, "412", Judgement(Outcome.PASS, "412 entered", (finding,)), state.definition_hash)
    )
    text = detail(chain.state(), "tickets")
    assert "entered  412, by Day Operator (operator) at 08:04:00" in text
    assert "[x] holds   required entry within 1% of value" in text
    assert text.index("second") < text.index("first")


def test_detail_of_a_reading() -> None:
    """Measures, the table, the evidence and the command to see the same by hand are all there."""
    reading = Reading(
        measures={"used": number("41.5", Unit.PERCENT)},
        columns=("name", "size"),
        rows=(("a" * 60, None), ("b", number(3))),
        truncated=True,
        evidence=(Evidence("df", "Filesystem\n/dev/sda1", truncated=True), Evidence("mounts", "")),
        command="df -h",
    )
    body = Measured(
        item="collectors",
        judgement=Judgement(Outcome.PASS, "fine"),
        started_at=MORNING - dt.timedelta(days=1),
        elapsed=seconds(1),
        attempt=2,
        final=False,
        reading=reading,
    )
    text = detail(Chain().add(body).state(), "collectors")
    for expected in (
        "used  41.5 %",
        "2 rows (cut off)",
        "nothing",
        "df (cut off)",
        "(empty)",
        "By hand  y copies it\ndf -h",
    ):
        assert expected in text
    assert "2026-11-20 08:00:00  [x] PASS" in text
    assert "attempt 2, tried again" in text


def test_long_table_is_cut_in_the_detail_only() -> None:
    """Of a thousand rows the first are shown, and how many more the record has."""
    reading = Reading(columns=("n",), rows=tuple((number(each),) for each in range(1_000)))
    body = Measured(
        item="collectors",
        judgement=Judgement(Outcome.PASS, ""),
        started_at=MORNING,
        elapsed=seconds(1),
        reading=reading,
    )
    assert "… and 800 more rows, all of them in the record" in detail(Chain().add(body).state(), "collectors")


def test_ticked_item_says_who_and_when() -> None:
    """A tick names its author, host and time, once."""
    extra = {"definition_hash": ""} if "definition_hash" in Ticked.__struct_fields__ else {}
    text = detail(Chain().add(Ticked("look", **extra)).state(), "look")
    assert text.count("ticked by") == 1
    assert "ticked by  Day Operator (operator) on ops01 at 08:02:00" in text


def test_compact_detail_loses_blank_lines_only() -> None:
    """Where there are few lines, groups follow one another."""
    parts = [Paragraph.plain("one"), Paragraph.plain("\ntwo"), Paragraph.plain("three\n\nfour")]
    assert said(compact(parts)) == "one\ntwo\nthree\n\nfour"


def test_sheet_line_in_detail() -> None:
    """A line of the day's sheet shows its text with its author, or how to fill it in."""
    chain = Chain().add(Filled("notes", "quiet"))
    notes, issues = CHECKLIST.fields
    assert "written by Day Operator (operator) at 08:02:00" in said(field_paragraphs(chain.state(), notes))
    assert "to do  e fill it in" in said(field_paragraphs(chain.state(), issues))
    assert said(field_paragraphs(chain.state(), issues, editable=False)) == "Issues found\nnot filled in"


# --- sign-off, Today, history ------------------------------------------------------------------------------


def test_hurdles_become_rows_that_name_their_place() -> None:
    """Each thing to do is one row; its key is that of the item or line it is about."""
    from opsconsole.model.signoff import hurdles

    state = Chain().measured("collectors", Outcome.FAIL).state()
    assert [row.key for row in hurdle_rows(hurdles(state))] == [
        "heading",
        "collectors",
        "disk",
        "tickets",
        "look",
        "field:issues",
    ]
    assert hurdle_rows(()) == []


def test_differences_are_said_in_words() -> None:
    """An outcome that changed is named with before and after; other changes by their place."""
    chain = Chain().measured("collectors", Outcome.PASS)
    before = seen_of(chain.state())
    assert differences(before, before) == []
    chain.measured("collectors", Outcome.FAIL, "late").add(Noted("look", "x")).add(Filled("notes", "y"))
    assert differences(before, seen_of(chain.state())) == [
        "Collectors: PASS is FAIL now",
        "Look at the dashboard changed",
        "Notes changed",
    ]


def _today(
    standing: Standing, state: RunState | None, last: RunSummary | None = None, *gaps: Gap, **more: Any
) -> Today:
    times = Chain().state().times
    return Today(
        checklist=CHECKLIST,
        run="qbr-daily@2026-11-21",
        times=times,
        standing=standing,
        current=summary_of(state) if state is not None else None,
        last=last,
        gaps=gaps,
        **more,
    )


def _seen() -> RunState:
    chain = Chain().measured("collectors", Outcome.PASS).measured("disk", Outcome.PASS, target="/")
    chain.measured("disk", Outcome.PASS, target="/var")
    return chain.add(Skipped("tickets", "x")).add(Skipped("look", "y")).state()


@pytest.mark.parametrize(
    ("standing", "state", "word"),
    [
        (Standing.UPCOMING, None, "UPCOMING"),
        (Standing.DUE, None, "DUE"),
        (Standing.DUE, Chain().state(), "DUE"),
        (Standing.DUE, _seen(), "TO SIGN"),
        (Standing.UPCOMING, _seen(), "TO SIGN"),
        (Standing.OVERDUE, _seen(), "OVERDUE"),
        (Standing.MISSED, None, "MISSED"),
    ],
)
def test_standing_of_a_checklist(standing: Standing, state: RunState | None, word: str) -> None:
    """Lateness comes before everything; a run in which nothing is open waits for its signature."""
    assert mark_of(_today(standing, state)).word == word


def test_today_rows_align_and_say_what_is_missing() -> None:
    """Unread, broken and known checklists stand in the same columns; a gap shows at any width."""
    other = msgspec.structs.replace(CHECKLIST, id="b", title="B")
    third = msgspec.structs.replace(CHECKLIST, id="c", title="C")
    last = summary_of(Chain(date=dt.date(2026, 11, 19)).state())
    stands = _today(Standing.DUE, None, last, _gap())
    known: dict[str, Today | str] = {"a": stands, "b": "the disk is gone"}
    checklists = {"a": CHECKLIST, "b": other, "c": third}
    narrow = [text_of(row) for row in today_rows(checklists, known, MORNING)]
    assert narrow[0].startswith("[ ] DUE      QBR daily monitoring  ")
    assert narrow[0].endswith("not openedGAP")
    assert narrow[1].startswith("[?] ERROR    B                     ")
    assert narrow[2].rstrip() == "[ ] ...      C"
    assert text_of(today_rows(checklists, known, MORNING, width=100)[0]).endswith("last not signed, GAP")


def test_history_row_of_a_signed_and_an_unread_run() -> None:
    """A run's row says its result, period, counts and signer; an unread one only its period."""
    key = RunKey("qbr-daily", "2026-11-21")
    summary = msgspec.structs.replace(
        summary_of(_seen()), result=Result.PASS, signed_by="operator", signed_at=MORNING
    )
    assert text_of(history_row(key, summary)).startswith("[x] PASS     2026-11-21  2 pass, 2 skipped")
    assert text_of(history_row(key, None)).rstrip() == "[ ] ...      2026-11-21"


def test_missing_runs_show_in_the_history() -> None:
    """A day without a run is a line of its own; days on which none was due are no gap."""
    keys = [RunKey("x", each) for each in ("2026-11-24", "2026-11-23", "2026-11-20", "2026-11-18", "2026-11-10")]
    weekdays = msgspec.structs.replace(CHECKLIST, due=Due(days="Mon..Fri"))
    rows = [text_of(row).strip() for row in history_rows(keys, {}, weekdays, CHICAGO)]
    assert rows == [
        "[ ] ...      2026-11-24",
        "[ ] ...      2026-11-23",
        "[ ] ...      2026-11-20",
        "[!] GAP      2026-11-19  no run",
        "[ ] ...      2026-11-18",
        "[!] GAP      2026-11-11 to 2026-11-17  5 runs missing",
        "[ ] ...      2026-11-10",
    ]
    old = RunKey("x", "1999-01-01")
    assert "400+ runs missing" in text_of(history_rows([keys[0], old], {}, weekdays, CHICAGO)[1])
    assert missing_between(RunKey("x", "nonsense"), keys[0], weekdays, CHICAGO) == []


def test_what_is_missing_since_the_last_run_shows_too() -> None:
    """Days without a run between the last one and today are a gap; today, which is not over, is none."""
    keys = [RunKey("x", "2026-11-18")]
    present = period_of(dt.date(2026, 11, 21), Cadence.DAILY)
    rows = [text_of(row).strip() for row in history_rows(keys, {}, CHECKLIST, CHICAGO, present)]
    assert rows == ["[!] GAP      2026-11-19 to 2026-11-20  2 runs missing", "[ ] ...      2026-11-18"]


def test_missing_intervals_show_in_the_history() -> None:
    """A list of every hour shows which hours nobody measured, by their names."""
    hourly = msgspec.structs.replace(CHECKLIST, cadence=Cadence.INTERVAL, due=Due(every=Duration.parse("1 h")))
    keys = [RunKey("x", f"2026-11-21T{hour:02}00Z") for hour in (14, 13, 10)]
    rows = [text_of(row).strip() for row in history_rows(keys, {}, hourly, CHICAGO)]
    assert rows[2] == "[!] GAP      2026-11-21T1100Z to 2026-11-21T1200Z  2 runs missing"
    assert len(rows) == 4


def test_history_of_a_missed_run() -> None:
    """A run that nobody did says so, with why once that is written, and by whom once it is signed."""
    key = RunKey("qbr-daily", "2026-11-21")
    missed = msgspec.structs.replace(summary_of(Chain().state()), result=Result.MISSED, counts={})
    assert text_of(history_row(key, missed)) == "[!] MISSED   2026-11-21  nobody has said why"
    missed = msgspec.structs.replace(missed, why="the host was down")
    assert text_of(history_row(key, missed)).endswith("the host was down, not signed yet")
    missed = msgspec.structs.replace(missed, signed_by="Day Operator", signed_at=MORNING)
    assert text_of(history_row(key, missed)) == "[-] MISSED   2026-11-21  the host was downby Day Operator"


def _gap(*, unsigned: bool = False, standing: Standing = Standing.MISSED, why: str = "", day: int = 20) -> Gap:
    period = f"2026-11-{day}"
    return Gap(
        run=f"qbr-daily@{period}", period=period, due_at=MORNING, standing=standing, unsigned=unsigned, why=why
    )


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        (_gap(), "nobody ran it"),
        (_gap(unsigned=True), "never signed"),
        (_gap(why="the host was down"), "why is written, not signed yet"),
        (_gap(standing=Standing.EXPLAINED, why="the host\nwas down"), "explained: the host …"),
    ],
)
def test_gap_says_what_is_missing(gap: Gap, words: str) -> None:
    """What was missed differs from what nobody signed, and an explanation counts once it is signed."""
    assert gap_words(gap) == words


def test_what_needs_the_operator_comes_first() -> None:
    """Overdue, due, waiting for a signature, upcoming, for a qualification, finished; the earliest first."""
    later = msgspec.structs.replace(Chain().state().times, due_at=MORNING + dt.timedelta(hours=1))
    known: dict[str, Today | str] = {
        "signed": _today(Standing.SIGNED, None),
        "upcoming": _today(Standing.UPCOMING, None),
        "waits": msgspec.structs.replace(_today(Standing.UPCOMING, None), times=None, waits_for="nine days"),
        "sign": _today(Standing.DUE, _seen()),
        "due-later": msgspec.structs.replace(_today(Standing.DUE, None), times=later),
        "due": _today(Standing.DUE, None),
        "done": _today(Standing.DONE, None),
        "overdue": _today(Standing.OVERDUE, None),
    }
    order = ["overdue", "due", "due-later", "sign", "upcoming", "waits", "signed", "done"]
    assert ranked(known, known) == tuple(order)
    unread = {**known, "broken": "the disk is gone"}
    assert set(ranked([*unread], unread)[:2]) == {"broken", "overdue"}


def test_what_is_missed_first_comes_first() -> None:
    """Of two that are due, a quarter's list, which has weeks left, makes way for today's."""
    quarterly = msgspec.structs.replace(
        Chain().state().times, due_at=MORNING - dt.timedelta(days=40), ends_at=MORNING + dt.timedelta(days=40)
    )
    known: dict[str, Today | str] = {
        "quarterly": msgspec.structs.replace(_today(Standing.OVERDUE, None), times=quarterly),
        "daily": _today(Standing.OVERDUE, None),
    }
    assert ranked(known, known) == ("daily", "quarterly")


def _action(number: int = 1, due: dt.date | None = None, owner: str = "", text: str = "Replace the disk") -> Action:
    raised = Raised(action=f"a{number}", text=text, owner=owner, due=due)
    return Action("qbr-daily@2026-11-20", number, raised, OPERATOR, MORNING)


SATURDAY = dt.date(2026, 11, 21)


@pytest.mark.parametrize(
    ("due_on", "words"),
    [
        (None, ""),
        (SATURDAY, "due today"),
        (dt.date(2026, 11, 22), "due tomorrow"),
        (dt.date(2026, 11, 27), "due Fri"),
        (dt.date(2026, 11, 28), "due 2026-11-28"),
        (dt.date(2026, 11, 20), "1 day late"),
        (dt.date(2026, 11, 1), "20 days late"),
    ],
)
def test_due_of_an_action_item(due_on: dt.date | None, words: str) -> None:
    """A date near by is named by its weekday; one that is over says how long it is."""
    assert due_words(due_on, SATURDAY) == words


def test_action_item_in_a_row() -> None:
    """A row says how urgent it is, whose it is and when; hostile text in it stays one harmless line."""
    late = _action(due=dt.date(2026, 11, 19), owner="jane", text="Replace\nthe \x1b[2J disk")
    assert text_of(action_row(late, SATURDAY)) == "[!] LATE     Replace …jane, 2 days late"
    assert text_of(action_row(_action(due=SATURDAY), SATURDAY)).startswith("[ ] DUE      Replace the disk")
    done = _action(owner="j" * 40)
    done.steps.append(Step(Handled(action="a1", state=ActionState.DONE, text="it is new"), OPERATOR, MORNING))
    assert text_of(action_row(done, SATURDAY)) == f"[x] DONE     Replace the disk{'j' * 17}…"
    assert "then     2026-11-21 08:00:00 CST Day Operator (operator): done: it is new" in said(
        action_paragraphs(done, SATURDAY, CHICAGO)
    )


@pytest.mark.parametrize(
    ("handled", "words"),
    [
        (Handled(action="1", state=ActionState.DROPPED, text="not ours"), "dropped: not ours"),
        (Handled(action="1", owner="lou", due=SATURDAY), "owner lou now, due 2026-11-21 now"),
        (Handled(action="1", owner=""), "no owner now"),
        (Handled(action="1", text="it came back"), "still open: it came back"),
    ],
)
def test_step_of_an_action_item_in_words(handled: Handled, words: str) -> None:
    """Each change is told by what it changed."""
    assert step_words(Step(handled, OPERATOR, MORNING)) == words


def test_handover_keeps_its_room() -> None:
    """However much there is to hand over, on a small screen it takes few lines, and says how much more there is."""
    last = summary_of(Chain(date=dt.date(2026, 11, 20)).state())
    said_before = (("Notes", "one"), ("Notes", "two"), ("", "three"))
    known: dict[str, Today | str] = {
        name: msgspec.structs.replace(
            _today(Standing.DUE, None, last, _gap(), _gap(day=19), said=said_before),
            checklist=msgspec.structs.replace(CHECKLIST, id=name),
        )
        for name in ("a", "b", "c")
    }
    handover = handover_of(known, [_action(number) for number in range(1, 9)], MORNING)
    now = Present(MORNING, {}, CHICAGO)
    rows = [text_of(row) for row in handover_rows(handover, now, SMALL)]
    assert [row.strip() for row in rows] == [
        "Handover",
        "[!] MISSED   QBR daily monitoring  2026-11-20: nobody ran it, and 1 more",
        "and 2 more checklists with missed runsEnter shows all",
        "[ ] TO DO    Replace the disk",
        "[ ] TO DO    Replace the disk",
        "and 6 more action itemsEnter shows all",
        "[i] NOTE     QBR daily monitoring  one  on Notes2026-11-20",
        "and 8 more notesEnter shows all",
        "Checklists",
    ]
    assert "three" in said(handover_paragraphs(handover, "more:note:", now))
    assert said(handover_paragraphs(handover, "more:gap:", now)).count("2026-11-19: nobody ran it") == 3
    assert handover_rows(Handover(), now, SMALL) == []


def test_notes_are_handed_over_until_the_run_is_finished() -> None:
    """Notes of the run before show from the due day on, and no more once the present run is signed."""
    last = summary_of(Chain(date=dt.date(2026, 11, 20)).state())
    due_now = _today(Standing.DUE, None, last, said=(("Notes", "one"),))
    night = MORNING - dt.timedelta(days=1)
    assert handover_of({"a": due_now}, (), MORNING).notes
    assert not handover_of({"a": msgspec.structs.replace(due_now, standing=Standing.SIGNED)}, (), MORNING).notes
    assert not handover_of({"a": msgspec.structs.replace(due_now, standing=Standing.UPCOMING)}, (), night).notes


# --- words -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (dt.datetime(2026, 11, 21, 14, tzinfo=dt.UTC), "08:00 CST"),
        (dt.datetime(2026, 11, 23, 14, tzinfo=dt.UTC), "Mon 08:00 CST"),
        (dt.datetime(2026, 12, 1, 14, tzinfo=dt.UTC), "12-01 08:00 CST"),
        (dt.datetime(2026, 11, 20, 14, tzinfo=dt.UTC), "11-20 08:00 CST"),
    ],
)
def test_due_is_as_short_as_it_can_be_understood(at: dt.datetime, words: str) -> None:
    """Today's due time has no date, this week's a weekday, any other its date; all in the checklist's zone."""
    assert due(at, MORNING, CHICAGO) == words


def test_times_carry_their_date_only_when_it_is_another() -> None:
    """A time of the business date is short; one of another day is not mistaken for it."""
    assert moment_near(MORNING, dt.date(2026, 11, 21), CHICAGO) == "08:00:00"
    assert moment_near(MORNING, dt.date(2026, 11, 22), CHICAGO) == "2026-11-21 08:00:00"


@pytest.mark.parametrize(
    ("typed", "expires"),
    [
        ("7 d", "2026-11-28"),
        ("+3d", "2026-11-24"),
        ("0 d", "2026-11-21"),
        (" 2026-12-31 ", "2026-12-31"),
        ("1 day", "2026-11-22"),
    ],
)
def test_expiry_of_a_waiver(typed: str, expires: str) -> None:
    """Days count from the business date; a date is itself."""
    assert expiry(typed, dt.date(2026, 11, 21)).isoformat() == expires


@pytest.mark.parametrize("typed", ["", "soon", "7 w", "2026-13-01", "21.11.2026", "-1 d", "99999 d"])
def test_expiry_that_means_nothing_says_how_to_write_it(typed: str) -> None:
    """What cannot be understood is refused with an example."""
    with pytest.raises(ActionRefused, match="write it like 2026-11-28"):
        expiry(typed, dt.date(2026, 11, 21))


def test_first_line_and_padding() -> None:
    """Only the first telling line shows in a row, and wide characters are counted as the terminal does."""
    assert first_line("\n \nfirst \nsecond") == "first …"
    assert first_line("") == ""
    assert padded("時間", 6) == "時間  "


def test_runbook_is_shown_as_written_with_its_commands_marked() -> None:
    """A runbook keeps its text; headings are emphasised, those in code are none, and fences are not shown."""
    book = parse_runbook("# Title\n\n- step\n```\n# comment\nls\n```")
    parts = runbook_paragraphs(book, book.commands[1])
    assert said(parts) == "# Title\n\n- step\n\n  │ # comment\n> │ ls\n"
    assert [each.pieces[0].style for each in parts[:4]] == ["bold", "", "", ""]
    assert [each.pieces[2].style for each in parts[4:6]] == ["", "reverse"]


def test_palette_wants_every_word() -> None:
    """Words may come in any order and case."""
    entries = [Entry("a", "note: Write a note", "n"), Entry("b", "skip: Not applicable", "s")]
    assert [row.key for row in found(entries, "WRITE note")] == ["a"]
    assert [row.key for row in found(entries, "")] == ["a", "b"]
