"""Units of numbers that an answer writes without one: `ms`, `KiB`, or `100%` for a share between 0 and 1."""

from decimal import Decimal

from opsconsole.model.values import Number, Unit, parse_quantity


def unit_problem(unit: str) -> str | None:
    """Return why a text cannot be the unit of numbers in an answer, None where it can."""
    try:
        scale_of(unit)
    except ValueError as error:
        return str(error)
    return None


def scale_of(unit: str) -> Number:
    """Return what 1 in an answer means: `ms` a thousandth of a second, `100%` all of it; raise ValueError."""
    if unit in {"count", "1"}:
        return Number(Decimal(1))
    found = parse_quantity(unit if unit[:1].isdigit() else f"1 {unit}").number
    if found.unit is Unit.COUNT and not unit[:1].isdigit():
        raise ValueError(f"'{unit}' is no unit")
    if found.value <= 0:
        raise ValueError("a number cannot be told in units of nothing")
    return found
