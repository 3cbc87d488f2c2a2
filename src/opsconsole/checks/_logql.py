"""LogQL as the probe `loki` writes it: stream selectors, filters and counts.

Language: https://grafana.com/docs/loki/latest/query/log_queries/ and .../metric_queries/.
"""

import math
import re
from collections.abc import Mapping, Sequence

from opsconsole.checks._promql import tokens_of
from opsconsole.checks._promrows import quoted

RANGE = "$__range"
"""Stands for the length of the time looked at, in a query of the item's own, as in Grafana."""

_SELECTOR = re.compile(r"\{.*\}\Z", re.DOTALL)
_STAGE = re.compile(r"\|[=~>]|!=|!~|!>|\|\s*[A-Za-z_]")
_FORBIDDEN = frozenset("\"'`\\\n\r\0{}")
"""Characters that would let the target of `for_each` end the text that it stands in."""


def selector_problem(selector: str) -> str | None:
    """Return what is wrong with a stream selector, None where only the server can tell."""
    tokens = tokens_of(selector)
    braces = [each.text for each in tokens if each.kind == "other" and each.text in {"{", "}"}]
    if not _SELECTOR.match(selector.strip()) or braces != ["{", "}"]:
        return 'it is no stream selector such as {app="api"}; what filters the lines goes into `filters`'
    if not any(each.kind == "match" for each in tokens):
        return 'it selects by no label; Loki needs one, such as {app="api"} or {app=~".+"}'
    return None


def filter_problem(stage: str) -> str | None:
    """Return what is wrong with one filter, None where only the server can tell."""
    if not _STAGE.match(stage.strip()):
        return f'\'{stage}\' is no filter such as |= "ERROR", |~ "time.?out" or | json'
    return None


def target_problem(target: str, texts: Sequence[str]) -> str | None:
    """Return why a target cannot stand in texts that it was filled into, None where it can."""
    if any(target and target in each for each in texts) and _FORBIDDEN & set(target):
        return "the target has quotes or braces, which would change the query"
    return None


def lines_of(selector: str, filters: Sequence[str] = (), patterns: Sequence[str] = ()) -> str:
    """Return the query for the lines that pass all filters and match any of the patterns."""
    line_filter = [f"|~ {quoted(_any(patterns))}"] if patterns else []
    return " ".join((selector.strip(), *line_filter, *(each.strip() for each in filters)))


def _any(patterns: Sequence[str]) -> str:
    return patterns[0] if len(patterns) == 1 else "|".join(f"(?:{each})" for each in patterns)


def count_of(lines: str, seconds: float, by: Sequence[str] = ()) -> str:
    """Return the query for the number of lines of so many seconds up to its instant, of each group by labels."""
    grouped = f" by ({', '.join(by)})" if by else ""
    return f"sum{grouped} (count_over_time({lines} {length_of(seconds)}))"


def length_of(seconds: float) -> str:
    """Return a length of time in brackets, rounded up to whole seconds."""
    return f"[{math.ceil(seconds)}s]"


def with_range(query: str, seconds: float) -> str:
    """Return a query of the item's own with the length of the time looked at filled in."""
    return query.replace(RANGE, f"{math.ceil(seconds)}s")


def pattern_problems(patterns: Mapping[str, str], taken: frozenset[str]) -> list[str]:
    """Return what is wrong with named patterns."""
    found = []
    for name, pattern in patterns.items():
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name):
            found.append(f"'{name}' is no name of a measure: write it in small letters, digits and underscores")
        elif name in taken:
            found.append(f"'{name}' is measured anyway; call the pattern something else")
        if not pattern:
            found.append(f"'{name}' is empty, which is found in every line")
    return found
