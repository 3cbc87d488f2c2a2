"""How old the samples are that the answer of Prometheus is made of.

The API answers with the instant of the question. `timestamp(SELECTOR)` gives the time of the sample, if there is
one in the last five minutes (`--query.lookback-delta`); further back a subquery finds the newest.
"""

import datetime as dt
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal

import msgspec

from opsconsole.checks._http import Endpoint
from opsconsole.checks._promapi import CLOCK, VECTOR, Answered, Series
from opsconsole.checks._promql import Selected
from opsconsole.checks._promrows import NAME, quoted
from opsconsole.contracts.probe import ProbeError
from opsconsole.model.readings import Evidence
from opsconsole.model.text import shortened
from opsconsole.model.values import Duration, formatted, seconds

LOOKBACK = 300
"""Seconds for which Prometheus shows a sample as if it was new."""
DAY = 86_400
_AT_ONCE = 12
"""Selectors of one question, which goes into the URL."""
_NUMBER = "selector"
_SUBQUERY_POINTS = 300
_SAME_LABELS = "same labelset"
"""In the words of Prometheus: what a selector of several metrics leads to, for times have no name."""
_SHOWN = 200

Ask = Callable[[str, dt.datetime], Awaitable[Answered]]
"""Asks for the value of a query at an instant."""


class Asked(msgspec.Struct, frozen=True):
    """Whose samples are looked at, and how old they may be."""

    selectors: Sequence[Selected]
    at: dt.datetime
    max_age: Duration
    proof: bool
    """They are what the item names to prove that something was measured, and all of them have to be there."""
    has_series: bool
    """The answer has series."""
    fills_in: bool = False
    """The query may have put a number of its own in the place of what was not there."""

    @property
    def all_needed(self) -> bool:
        """Whether each selector has to find samples for the answer to be a measurement.

        An answer without series may lack them because one side of a comparison was not there at all.
        """
        return self.proof or self.fills_in or not self.has_series


class Ages(msgspec.Struct, frozen=True):
    """How old samples are, in seconds."""

    oldest: float | None = None
    """None where nothing tells it: the query has no selector, or all of them look at another time."""
    series: Mapping[frozenset[tuple[str, str]], float] = {}
    """By the labels of each series, without its name."""
    text: str = ""
    absent: tuple[Selected, ...] = ()
    """Selectors that find nothing."""

    def of(self, labels: Mapping[str, str]) -> float | None:
        """Return the age of one series, None where it was not told."""
        return self.series.get(_key(labels))

    def evidence(self) -> Evidence:
        """Return it in words."""
        return Evidence("age of the samples", self.text)


def _key(labels: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset((name, value) for name, value in labels.items() if name != NAME)


async def ages(endpoint: Endpoint, asked: Asked, ask: Ask) -> Ages:
    """Return how old the samples are; raise ProbeError where they are too old (`stale`) or not there (`empty`)."""
    looked = [each for each in asked.selectors if not each.past]
    if not looked:
        if not asked.has_series:
            raise _empty(endpoint, asked)
        return Ages()
    found = await _told(looked, asked, ask)
    if found.oldest is None or (found.absent and asked.all_needed):
        raise await _unseen(endpoint, found.absent or looked, asked, ask)
    if found.oldest > asked.max_age.seconds:
        raise _stale(endpoint, found, asked)
    return found


async def _told(looked: Sequence[Selected], asked: Asked, ask: Ask) -> Ages:
    """Return what the server tells of their ages; raise ProbeError where it cannot."""
    try:
        if len(looked) == 1 and looked[0].whole and not asked.proof and asked.has_series:
            return await _of_each_series(looked[0], asked, ask)
        return await _of_selectors(looked, asked, ask)
    except ProbeError as error:
        if _SAME_LABELS not in error.problem.cause:
            raise
        raise ProbeError(
            error.problem.reason,
            "the age of the samples cannot be told, for several metrics of one selector have the same labels",
            "ask for one metric at a time, or name what tells their age by `samples`: ['up{job=\"api\"}']",
            error.evidence,
        ) from None


async def _of_each_series(selected: Selected, asked: Asked, ask: Ask) -> Ages:
    answer = await ask(_newest(selected.text, asked.max_age), asked.at)
    told = {_key(each.labels): _age(asked.at, each.samples[0].value) for each in _vector(answer)}
    if not told:
        return Ages()
    by_name = sorted(told.items(), key=lambda each: each[1], reverse=True)
    lines = [f"{_words(age)}: {{{_labels(key)}}}" for key, age in by_name[:_SHOWN]]
    return Ages(by_name[0][1], told, "\n".join(lines))


async def _of_selectors(looked: Sequence[Selected], asked: Asked, ask: Ask) -> Ages:
    """Return the oldest of the newest samples of all series that selectors find."""
    told: dict[str, float] = {}
    for start in range(0, len(looked), _AT_ONCE):
        parts = {str(index): each.text for index, each in enumerate(looked[start : start + _AT_ONCE])}
        answer = await ask(_numbered("min", parts, lambda text: _newest(text, asked.max_age)), asked.at)
        for each in _vector(answer):
            text = parts.get(each.labels.get(_NUMBER, ""))
            if text is not None:
                told[text] = _age(asked.at, each.samples[0].value)
    absent = tuple(each for each in looked if each.text not in told)
    lines = [f"{_words(age)} at most: {text}" for text, age in told.items()]
    lines += [f"no samples: {each.text}" for each in absent]
    return Ages(max(told.values(), default=None), {}, "\n".join(lines), absent)


def _numbered(function: str, parts: Mapping[str, str], query: Callable[[str], str]) -> str:
    """Return the query for one number of each selector, by its own number as a label."""
    return " or ".join(
        f'label_replace({function}({query(text)}), "{_NUMBER}", "{index}", "", "")' for index, text in parts.items()
    )


def _newest(selector: str, max_age: Duration) -> str:
    """Return the query for the time of the newest sample of each series."""
    if max_age.seconds <= LOOKBACK:
        return f"timestamp({selector})"
    return _further_back(selector, int(max_age.seconds))


def _further_back(selector: str, back: int) -> str:
    """Return the query for the newest sample of so many seconds, which sees those that are shown no more."""
    step = max(15, min(LOOKBACK, back // _SUBQUERY_POINTS))
    return f"max_over_time(timestamp({selector})[{back + step}s:{step}s])"


def _vector(answer: Answered) -> Sequence[Series]:
    return answer.series if answer.kind == VECTOR else ()


def _age(at: dt.datetime, timestamp: Decimal) -> float:
    """Return the age of a sample in seconds; no time, or one still to come, counts as older than anything."""
    age = at.timestamp() - float(timestamp) if timestamp.is_finite() else math.inf
    return age if age > -CLOCK else math.inf


# --- what can be wrong -----------------------------------------------------------------------------


def _stale(endpoint: Endpoint, found: Ages, asked: Asked) -> ProbeError:
    return ProbeError(
        "stale",
        f"{endpoint.name} shows samples that are {_words(found.oldest or 0)}, more than {asked.max_age}",
        _SCRAPING,
        (found.evidence(),),
    )


async def _unseen(endpoint: Endpoint, looked: Sequence[Selected], asked: Asked, ask: Ask) -> ProbeError:
    """Return why there are no samples: they are of earlier today, ended just now, or there were none at all."""
    parts = {str(index): each.text for index, each in enumerate(looked[:_AT_ONCE])}
    try:
        answer = await ask(_numbered("max", parts, lambda text: _further_back(text, DAY)), asked.at)
        earlier = [_age(asked.at, each.samples[0].value) for each in _vector(answer)]
    except ProbeError:  # it only serves to say more
        earlier = []
    names = shortened(" and ".join(each.text for each in looked), _SHOWN)
    newest = min(earlier, default=float("inf"))
    if newest > asked.max_age.seconds and newest != float("inf"):
        return ProbeError("stale", f"{endpoint.name} has samples of {names} that are {_words(newest)}", _SCRAPING)
    if asked.proof:
        return ProbeError(
            "stale", f"{endpoint.name} has not all of the samples that prove the rest: {names}", _SCRAPING
        )
    return _empty(endpoint, asked, names) if newest == float("inf") else _ended(endpoint, asked, names)


def _ended(endpoint: Endpoint, asked: Asked, names: str) -> ProbeError:
    """Return the problem of a target that was scraped until just now: Prometheus marks the end of its series."""
    cause = f"{endpoint.name} has no series of {names} any more: there was one within the last minutes"
    if asked.has_series:
        cause = (
            f"the answer of {endpoint.name} is made of no sample of now: there was one of {names} "
            "within the last minutes"
        )
    return ProbeError("empty", cause, "see in Prometheus, under Status and Targets, whether its target answers")


def _empty(endpoint: Endpoint, asked: Asked, names: str = "") -> ProbeError:
    of = f" of {names}" if names else ""
    if asked.has_series:
        return ProbeError(
            "empty",
            f"the answer of {endpoint.name} is made of no sample: there is none{of}",
            "what `or vector(0)` fills in was not measured; name what proves that somebody looked by `samples`",
        )
    return ProbeError(
        "empty",
        f"{endpoint.name} has no series{of}",
        "is its name right, and is its target among those of Prometheus (Status, Targets)?",
    )


_SCRAPING = "see in Prometheus, under Status and Targets, why it does not scrape; or raise `max_age`"


def _labels(key: frozenset[tuple[str, str]]) -> str:
    return ", ".join(f"{name}={quoted(value)}" for name, value in sorted(key))


def _words(age: float) -> str:
    """Return an age for reading: `4 min 10 s old`."""
    return f"{formatted(seconds(max(0.0, round(age, 1))))} old" if age != float("inf") else "of no known time"
