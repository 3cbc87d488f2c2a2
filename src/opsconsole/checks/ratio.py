"""Probe `ratio`: the share that one count is of another, both read by items of the same checklist."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Annotated

import msgspec

from opsconsole.checks import _inputs
from opsconsole.checks._inputs import ARITHMETIC, Taken, quiet
from opsconsole.contracts.probe import TOO_FEW, Context, Environment, ProbeError, ProbeKind, Subjects, Use
from opsconsole.model.checklists import ID
from opsconsole.model.readings import Evidence, Reading
from opsconsole.model.values import Number, Unit, Value, formatted, shown

_HUNDRED = Decimal(100)


class Count(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One number of another item's reading."""

    item: str
    """The id of an item of this checklist; it is measured first."""
    value: str = ""
    """A measure of its reading, such as `count` for the rows of a table; `value` where nothing is said."""
    column: str = ""
    """A column instead, whose numbers are added up; without any rows that makes 0."""


class RatioOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of the probe `ratio`."""

    numerator: Count | tuple[Count, ...]
    """What is counted: `{ item = "failed-approvals", value = "count" }`; several are added up."""
    denominator: Count | tuple[Count, ...]
    """What it is a share of; several are added up, such as what failed and what succeeded."""
    minimum: Annotated[int, msgspec.Meta(ge=1)] = 1
    """With a smaller denominator nothing is said: the item comes to what its `on_too_few` says, SKIPPED without."""


class RatioProbe:
    """Divides; it reads nothing itself."""

    async def measure(self, options: RatioOptions, context: Context) -> Reading:
        """Return the share in percent; too small a denominator is a ProbeError `too-few`."""
        above = [_taken(context, each) for each in _counts(options.numerator)]
        below = [_taken(context, each) for each in _counts(options.denominator)]
        one, other = _sum(above, below), _sum(below, above)
        text = "\n".join(_told(context, options, above, below))
        evidence = (Evidence("counts", text),)
        counted = {"numerator": above, "denominator": below}
        _refuse_few(other, below, options, _seen(one, other, counted, evidence))
        share = _share(one, other) if _is_known(options, above, below) else None
        bounds = {"value": above, "numerator": above, "denominator": below}
        return Reading(
            measures={
                "value": share,
                "numerator": one,
                "denominator": other,
                "apart": _inputs.apart([each.started_at for each in (*above, *below)]),
                "same_cutoff": _inputs.common_cutoff([*above, *below]) is not None,
            },
            lower_bounds=tuple(
                name
                for name, counts in bounds.items()
                if any(each.at_least for each in counts) and (name != "value" or share is not None)
            ),
            evidence=evidence,
        )

    async def aclose(self) -> None:
        """Nothing to end."""


def _counts(parts: Count | tuple[Count, ...]) -> tuple[Count, ...]:
    return parts if isinstance(parts, tuple) else (parts,)


def _taken(context: Context, count: Count) -> Taken:
    """Return one count; raise ProbeError where there is none, or less than nothing was counted."""
    found = _inputs.input_of(context, count.item)
    name, reading = _inputs.one_reading(found, context.target)
    at_least = False
    if count.column:
        cells = _inputs.column(reading, found.title, count.column)
        value: Value = _inputs.total(cells, found.title, count.column) if cells else None
        if not cells:
            return _inputs.taken(found, name, None)
        what = count.column
    else:
        what = count.value or "value"
        value, at_least = _inputs.measure(reading, found.title, what)
    if not isinstance(value, Number):
        raise ProbeError("bad-answer", f"'{what}' of '{found.title}' is {_named(value)}, no number to count with")
    if value.value.is_finite() and value.value < 0:
        raise ProbeError("bad-answer", f"'{what}' of '{found.title}' is {formatted(value)}, less than nothing")
    return _inputs.taken(found, name, value, at_least=at_least)


def _named(value: Value) -> str:
    text = shown(value)
    return text if value is None or isinstance(value, bool) else f"'{text[:60]}'"


def _sum(parts: Sequence[Taken], others: Sequence[Taken]) -> Number:
    """Return the sum of some counts, in the unit of all; a column without rows adds nothing."""
    units = {each.value.unit for each in (*parts, *others) if isinstance(each.value, Number)}
    if len(units) > 1:
        raise ProbeError("bad-answer", f"the counts are of unlike units: {', '.join(sorted(units))}")
    result = Decimal(0)
    for each in parts:
        if isinstance(each.value, Number):
            result = ARITHMETIC.add(result, quiet(each.value.value))
    return Number(result, units.pop() if units else Unit.COUNT)


def _seen(
    numerator: Number, denominator: Number, counted: Mapping[str, Sequence[Taken]], evidence: tuple[Evidence, ...]
) -> Reading:
    """Return the two counts, which are known also where no share can be taken of them."""
    return Reading(
        measures={"numerator": numerator, "denominator": denominator},
        lower_bounds=tuple(name for name, counts in counted.items() if any(each.at_least for each in counts)),
        evidence=evidence,
    )


def _refuse_few(denominator: Number, below: Sequence[Taken], options: RatioOptions, seen: Reading) -> None:
    if not denominator.value.is_finite() or denominator.value >= options.minimum:
        return
    counted = formatted(denominator)
    if any(each.at_least for each in below):
        raise ProbeError(
            "bad-answer",
            f"at least {counted} were counted, and a share is taken of {options.minimum} or more: "
            "whether there were as many is not known",
            seen=seen,
        )
    raise ProbeError(
        TOO_FEW,
        f"{counted} were counted, too few to take a share of ({options.minimum} are needed)",
        "count over a longer time, ask for fewer by `minimum`, or say by `on_too_few` what it means",
        seen=seen,
    )


def _is_known(options: RatioOptions, above: Sequence[Taken], below: Sequence[Taken]) -> bool:
    """Return whether the share is at least what it comes to: greater counts below would make it smaller.

    A count that stands above and below alike makes it greater, up to 100 %: of what failed and succeeded, more
    failed.
    """
    bounded = [count for count, each in zip(_counts(options.denominator), below, strict=True) if each.at_least]
    if not bounded:
        return True
    one, other = _sum(above, below), _sum(below, above)
    return (
        set(map(_identity, bounded)) <= set(map(_identity, _counts(options.numerator))) and one.value <= other.value
    )


def _share(numerator: Number, denominator: Number) -> Number:
    share = ARITHMETIC.divide(ARITHMETIC.multiply(numerator.value, _HUNDRED), denominator.value)
    known = share.is_finite() and denominator.value.is_finite()  # what is infinitely many makes no share of 0
    return Number(share if known else Decimal("NaN"), Unit.PERCENT)


def _told(context: Context, options: RatioOptions, above: Sequence[Taken], below: Sequence[Taken]) -> list[str]:
    lines = []
    for word, counts, found in (
        ("counted", _counts(options.numerator), above),
        ("of", _counts(options.denominator), below),
    ):
        for count, each in zip(counts, found, strict=True):
            least = "at least " if each.at_least else ""
            what = shown(each.value) if each.value is not None else "0, no rows"
            title = context.inputs[count.item].title
            lines.append(f"{word}: {least}{what} ('{title}', {count.item})")
    return lines


def _problems(options: RatioOptions) -> list[tuple[str, str]]:
    found = []
    for name, given in (("numerator", options.numerator), ("denominator", options.denominator)):
        if given == ():
            found.append((name, "must not be empty"))
        for index, count in enumerate(_counts(given)):
            key = f"{name}.{index}" if isinstance(given, tuple) else name
            if not ID.fullmatch(count.item):
                found.append((f"{key}.item", f"'{count.item}' is no id of an item"))
            if count.value and count.column:
                found.append((f"{key}.value", "a measure or a column: leave out `value` or `column`"))
        if len(set(map(_identity, _counts(given)))) < len(_counts(given)):
            found.append((name, "the same count is there twice"))
    return found


def _identity(count: Count) -> tuple[str, str, str]:
    return count.item, count.value, count.column


def _subjects(_options: RatioOptions) -> Subjects:
    return {
        "value": Unit.PERCENT,
        "numerator": None,
        "denominator": None,
        "apart": Unit.SECONDS,
        "same_cutoff": None,
    }


def _placed(options: RatioOptions) -> Iterator[tuple[str, Count]]:
    """Yield all counts with the key of each."""
    for name, given in (("numerator", options.numerator), ("denominator", options.denominator)):
        for index, count in enumerate(_counts(given)):
            yield f"{name}.{index}" if isinstance(given, tuple) else name, count


def _inputs_of(options: RatioOptions) -> dict[str, str]:
    return {f"{key}.item": count.item for key, count in _placed(options)}


def _uses(options: RatioOptions) -> tuple[Use, ...]:
    return tuple(
        Use(key=f"{key}.column", item=count.item, name=count.column)
        if count.column
        else Use(key=f"{key}.value", item=count.item, name=count.value or "value")
        for key, count in _placed(options)
    )


def _open(_environment: Environment) -> RatioProbe:
    return RatioProbe()


KIND = ProbeKind(
    name="ratio",
    summary="The share in percent that one count is of another, both read by items of the same checklist.",
    options=RatioOptions,
    subjects=_subjects,
    open=_open,
    validate=_problems,
    inputs=_inputs_of,
    uses=_uses,
)
