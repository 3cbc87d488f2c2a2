"""The README of a record: what an auditor reads first of a run that was missed, decided on, or has things to do."""

import pytest

from opsconsole.export.record_readme import WIDTH, RecordSignature, readme
from opsconsole.model.signoff import count_words
from support.states import STATES, told


def text_of(state: str) -> str:
    """Return the README of a state with all its signatures, on one line."""
    report = STATES[state]().report()
    signatures = [
        RecordSignature(f"{place:02}-{each.body.statement.meaning}", each, listed=True, verdict="good")
        for place, each in enumerate(report.state.signatures, 1)
    ]
    return " ".join(readme(report, signatures, 0, []).split())


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("missed", "Result: MISSED, nothing was measured MISSED it was over on 2026-11-22 02:00:00 CST"),
        ("missed", "Reason given by Morning Operator (morning): The site had no power"),
        ("missed", "qbr-9day, because: no power: day 3 of 9 was not monitored"),
        ("missed", "amended: MISSED, nothing was measured"),
        (
            "actions",
            "#1, open, late: Ask the vendor why it took 24 s (for Late Operator, due 2026-11-20)",
        ),
        ("actions", "Action item #2, done: Free 10 GB on /opt (due 2026-11-27, at disk)"),
        ("approved", "Looks back over Friday 2026-11-13 to Saturday 2026-11-21, the days of the qualification"),
        ("approved", "decided: qbr-9day is refused"),
        ("approved", "failed since: qbr-daily@2026-11-22"),
        ("approved", "ready: yes, for Phase 5: production"),
        ("approved", "reason: Explained in CW-1251."),
        ("targets", "Looks back over Monday 2026-11-09 to Sunday 2026-11-15"),
    ],
)
def test_what_an_auditor_reads_first(state: str, said: str) -> None:
    """That nothing was measured, what is still to be done and what was decided stand in the README itself."""
    assert said in text_of(state)


def test_hostile_texts_stay_lines() -> None:
    """An action item or a reason with line breaks and escapes in it cannot look like a line of the program."""
    report = told("x\x1b[2J\nResult:  PASS\u202e" + "y" * 5_000).report()
    lines = readme(report, [], 0, []).splitlines()
    (result,) = [each for each in lines if each.startswith("Result:")]
    assert result == f"Result:  {report.state.result}, {count_words(report.state.counts)}"
    assert all(each.isprintable() for each in lines)
    assert max(map(len, lines)) <= max(WIDTH, 200)
