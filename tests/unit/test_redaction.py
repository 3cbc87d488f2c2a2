"""Secrets never reach a record, because a record cannot be cleaned afterwards."""

import pytest

from opsconsole.model.readings import Evidence, Problem, Reading
from opsconsole.model.redaction import MASK, redacted, redacted_problem, redacted_reading

SECRET = "s3cr3t-not-real"


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://ops:{SECRET}@db.example:5432/qbr",
        f"connection failed: password={SECRET} host=db",
        f'password = "{SECRET}"',
        f"PGPASSWORD={SECRET} psql",
        f"Authorization: Bearer {SECRET}abcdefgh",
        f"api_key: {SECRET}, next",
        f"https://user:{SECRET}@host/path?x=1",
    ],
)
def test_common_shapes(text: str) -> None:
    """Passwords in URLs, assignments and headers are masked without being known."""
    clean = redacted(text)
    assert SECRET not in clean
    assert MASK in clean


@pytest.mark.parametrize("text", ["http://host:8080/path", "user@host", "password policy is fine", "12:30:00@x"])
def test_harmless_text_stays(text: str) -> None:
    """What only looks like it is left alone."""
    assert redacted(text) == text


def test_known_values_everywhere() -> None:
    """A known secret is masked wherever a probe may put it."""
    reading = Reading(
        measures={"value": f"x {SECRET}"},
        columns=("a",),
        rows=((SECRET,), (None,)),
        evidence=(Evidence("log", f"line {SECRET}"),),
        command=f"psql {SECRET}",
    )
    clean = redacted_reading(reading, [SECRET])
    problem = redacted_problem(Problem("down", f"{SECRET} refused", f"try {SECRET}"), [SECRET])
    assert SECRET not in repr(clean) + repr(problem)
    assert clean.rows[1] == (None,)


def test_texts_are_bounded() -> None:
    """A log of many megabytes does not become part of the record."""
    clean = redacted_reading(Reading(evidence=(Evidence("log", "x" * 1_000_000),)))
    assert len(clean.evidence[0].text) < 70_000
    assert clean.evidence[0].truncated
