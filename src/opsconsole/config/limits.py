"""Limits of values that several formats have in common; each says what is wrong, or None."""

from opsconsole.config.decoding import Check
from opsconsole.config.words import quoted
from opsconsole.model.checklists import ID

MAX_TITLE = 200
"""Characters of a text that is shown in one line."""


def one_line(text: str) -> str | None:
    """Refuse what cannot be shown in one line."""
    if not text.strip():
        return "must not be empty"
    if not text.isprintable():
        return "must be one line without control characters"
    if len(text) > MAX_TITLE:
        return f"has more than {MAX_TITLE} characters"
    return None


def an_id(text: str) -> str | None:
    """Refuse what is no id, and show how it could be written."""
    if ID.fullmatch(text) is not None:
        return None
    meant = "-".join("".join(char if char.isalnum() and char.isascii() else " " for char in text.lower()).split())
    told = f"; write it like '{meant}'" if ID.fullmatch(meant) else ""
    return f"{quoted(text)} is no id: lower-case letters, digits, '-' and '_', 64 at most{told}"


def whole(low: int, high: int) -> Check:
    """Return the check that a whole number is from `low` to `high`."""

    def check(value: int) -> str | None:
        return None if low <= value <= high else f"must be from {low} to {high}, not {value}"

    return check


def unique(check: Check | None = None) -> Check:
    """Return the check that no text of a list is there twice, and then `check` of it."""

    def whole_list(values: tuple[str, ...]) -> str | None:
        repeated = next((each for index, each in enumerate(values) if each in values[:index]), None)
        if repeated is not None:
            return f"{quoted(str(repeated))} is there twice"
        return check(values) if check else None

    return whole_list


def some(check: Check | None = None) -> Check:
    """Return the check that a list is not empty, and then `check` of it."""
    return lambda values: "must not be empty" if not values else check(values) if check else None
