"""What the list of a run shows, for the widgets that are compared: the same text in both."""

COUNT = 60
"""Rows in the list."""
UPDATED = 3
"""The row that changes; it is always in sight, and the cursor is not on it when it does."""
MARKS = ("[x]", "[!]")


def title(index: int) -> str:
    """Return the title of a row."""
    return f"{index:02} Collection log of night {index}"


def value(version: int) -> str:
    """Return what was measured, different in each version."""
    return f"{version % 90 + 10}.4 s"


def word(version: int) -> str:
    """Return the outcome."""
    return ("PASS", "FAIL")[version % 2]
