"""Series of the query API as rows of a table: what they are called, and their labels as columns."""

import re
from collections.abc import Iterable, Mapping, Sequence

from opsconsole.checks._http import Endpoint
from opsconsole.checks._promapi import Series
from opsconsole.contracts.probe import ProbeError
from opsconsole.model.text import shortened

NAME = "__name__"
"""The label that holds the name of a metric."""
RESERVED = "label_"
"""A label that is called like a column of the probe's own gets this in front."""
_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def label_problems(labels: Sequence[str]) -> list[tuple[str, str]]:
    """Return what is wrong with the option `labels`, as pairs of key and message."""
    found = [("labels", f"'{each}' is no name of a label") for each in labels if not _BARE.match(each)]
    if len(set(labels)) < len(labels):
        found.append(("labels", "names one twice"))
    return found


def column_of(label: str, taken: Iterable[str]) -> str:
    """Return what the column of a label is called."""
    return f"{RESERVED}{label}" if label in taken else label


def series_name(labels: Mapping[str, str]) -> str:
    """Return a series as a person writes it, its labels in the order of the alphabet: `up{job="node"}`."""
    metric = labels.get(NAME, "")
    inner = ", ".join(f"{key}={quoted(value)}" for key, value in sorted(labels.items()) if key != NAME)
    return f"{metric}{{{inner}}}" if inner else metric


def quoted(text: str) -> str:
    """Return a text as a string literal of PromQL and LogQL."""
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    inner = "".join(escapes.get(each) or (each if each >= " " else f"\\x{ord(each):02x}") for each in text)
    return f'"{inner}"'


def named(endpoint: Endpoint, found: Sequence[Series], labels: Sequence[str]) -> dict[str, Series]:
    """Return series by what their rows are called, in that order: by the `labels` named, else by all.

    Rows that were called alike could not be followed from run to run; raises ProbeError for them.
    """
    for label in labels:
        if found and not any(label in each.labels for each in found):
            known = ", ".join(sorted({key for each in found for key in each.labels} - {NAME})) or "none"
            raise ProbeError(
                "bad-query", f"no series has the label '{label}' that `labels` names", f"they have: {known}"
            )
    rows: dict[str, Series] = {}
    for each in found:
        name = ", ".join(each.labels.get(label, "") for label in labels) if labels else series_name(each.labels)
        if name in rows:
            raise ProbeError(
                "bad-query",
                f"{endpoint.name} has several series called '{shortened(name, 100)}'",
                "name more labels in `labels`, or let the query sum them up: `sum by (...) (...)`",
            )
        rows[name] = each
    return dict(sorted(rows.items()))


def texts_of(each: Series, labels: Sequence[str]) -> tuple[str, ...]:
    """Return what stands in the columns of labels; one that a series lacks is empty, as in PromQL."""
    return tuple(each.labels.get(label, "") for label in labels)
