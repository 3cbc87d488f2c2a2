"""Decodes TOML tables into msgspec structs strictly, telling every problem instead of the first one.

msgspec's own decoder stops at the first problem and names it in the words of a programmer; this one walks the same
type information (`msgspec.inspect`), so that the structs stay the only description of a format.
"""

import datetime as dt
import operator
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, Final, TypeVar, cast

import msgspec
from msgspec import inspect

from opsconsole.config.diagnostics import Place, Report
from opsconsole.config.shapes import advice, fits, wanted
from opsconsole.config.words import either, guess, kind_of, nearest, quoted
from opsconsole.model.condition_parser import ConditionError, parse_condition
from opsconsole.model.conditions import Condition
from opsconsole.model.values import Duration, UnitError

S = TypeVar("S", bound=msgspec.Struct)

Check = Callable[[Any], str | None]
"""Says what is wrong with a value of the right type, or None."""

MAX_INTEGER = 2**53 - 1
"""Whole numbers beyond do not survive canonical JSON (RFC 8785)."""

MAX_MAGNITUDE = 18
"""Powers of ten; larger decimals are a mistake, and cost memory to write down."""

MAX_DURATION = 36525 * 86400
"""A century in seconds: beyond, the calendar ends."""


class _Bad(Enum):
    """Stands for a value whose problem is reported already."""

    BAD = 0


BAD: Final = _Bad.BAD


class Rules(msgspec.Struct, frozen=True):
    """What is to be known of a format beyond its types."""

    checks: Mapping[tuple[type, str], Check] = {}
    """By struct and field."""
    choices: Mapping[tuple[type, str], Mapping[str, Any]] = {}
    """Fields whose text in the file stands for another value."""
    hints: Mapping[tuple[type, str], str] = {}
    """Unknown keys that are known mistakes, with what to write instead."""


@cache
def fields_of(kind: type) -> tuple[inspect.Field, ...]:
    """Return the fields of a struct."""
    return cast(inspect.StructType, inspect.type_info(kind)).fields


def keys_of(kind: type) -> tuple[str, ...]:
    """Return the keys of a struct, as a file writes them."""
    return tuple(field.encode_name for field in fields_of(kind))


class Decoder:
    """Decodes the tables of one file."""

    def __init__(self, report: Report, rules: Rules) -> None:
        self.report = report
        self.rules = rules

    def struct(self, kind: type[S], table: Any, place: Place) -> S | None:
        """Return a struct made of `table`, or None with every reason in the report."""
        if not isinstance(table, dict):
            example = keys_of(kind)[0]
            self.report.error(place, f"must be a table such as {{ {example} = ... }}, not {kind_of(table)}")
            return None
        meant = self.unknown_keys(kind, table, keys_of(kind), place)
        values = self.fields(kind, table, place, excused=meant)
        return self.build(kind, values, place) if table.keys() <= {*keys_of(kind)} else None

    def build(self, kind: type[S], values: Mapping[str, Any], place: Place) -> S | None:
        """Return a struct of decoded `values`; None where one of them is bad or a required one is not there."""
        if BAD in values.values():
            return None
        if any(field.required and field.name not in values for field in fields_of(kind)):
            return None
        try:
            return kind(**values)
        except (ValueError, TypeError) as error:  # what __post_init__ may raise to refuse, as msgspec documents it
            self.report.error(place, str(error))
            return None

    def unknown_keys(
        self,
        kind: type,
        table: Mapping[str, Any],
        known: Collection[str],
        place: Place,
        *,
        named: Collection[str] | None = None,
        listed: str = "known here",
    ) -> frozenset[str]:
        """Report the keys of `table` that are not `known`; return those that they were probably meant to be.

        Where nothing similar is known, the message names the keys in `named`, or all of them.
        """
        meant = set()
        for key in table:
            if key in known:
                continue
            hint = self.rules.hints.get((kind, key))
            near = None if hint or self.report.full else nearest(key, sorted(known))
            meant |= {near} if near else set()
            told = f"; {hint}" if hint else guess(key, [near] if near else named or known, listed)
            line = 0 if self.report.full else self.report.line(place.at(key))
            self.report.error(place, f"unknown key {quoted(key)}{told}", line=line)
        return frozenset(meant)

    def fields(
        self,
        kind: type,
        table: Mapping[str, Any],
        place: Place,
        *,
        without: Collection[str] = (),
        excused: Collection[str] = (),
    ) -> dict[str, Any]:
        """Return the values of the fields that `table` gives, BAD for each that has a problem.

        A missing required field is a problem, unless it is `excused`: an unknown key was meant to be it.
        """
        values: dict[str, Any] = {}
        for field in fields_of(kind):
            key = field.encode_name
            if key in without:
                continue
            if key in table:
                values[field.name] = self._field(kind, field, table[key], place.at(key))
            elif field.required and key not in excused:
                self.report.error(place.at(key), "is missing")
        return values

    def _field(self, kind: type, field: inspect.Field, raw: Any, place: Place) -> Any:
        choices = self.rules.choices.get((kind, field.name))
        value = self._chosen(choices, raw, place) if choices else self._value(field.type, raw, place)
        check = self.rules.checks.get((kind, field.name))
        if value is BAD or check is None:
            return value
        message = check(value)
        return value if message is None else self._bad(place, message)

    def _bad(self, place: Place, message: str) -> _Bad:
        self.report.error(place, message)
        return BAD

    def _chosen(self, choices: Mapping[str, Any], raw: Any, place: Place) -> Any:
        if isinstance(raw, str) and raw in choices:
            return choices[raw]
        if not isinstance(raw, str):
            return self._bad(place, f"must be {_one_of(choices)}, not {kind_of(raw)}")
        return self._bad(place, f"{quoted(raw)} is not {_one_of(choices)}{_meant(raw, choices)}")

    def _value(self, node: inspect.Type, raw: Any, place: Place) -> Any:
        match node:
            case inspect.Metadata(type=inner):
                return self._value(inner, raw, place)
            case inspect.UnionType():
                return self._union(node, raw, place)
            case inspect.StructType(cls=cls):
                value = self.struct(cls, raw, place)
                return BAD if value is None else value
            case inspect.ListType() | inspect.VarTupleType():
                return self._list(node, raw, place)
            case inspect.DictType():
                return self._dict(node, raw, place)
            case inspect.EnumType(cls=cls):
                return self._chosen({str(each.value): each for each in cls}, raw, place)
            case inspect.LiteralType(values=values) if all(isinstance(each, str) for each in values):
                return self._chosen({str(each): each for each in values}, raw, place)
            case inspect.AnyType():
                return self._anything(raw, place)
            case _:
                return self._single(node, raw, place)

    def _single(self, node: inspect.Type, raw: Any, place: Place) -> Any:
        if not fits(node, raw):
            return self._bad(place, f"must be {wanted(node)}, not {kind_of(raw)}{advice(node, raw)}")
        match node:
            case inspect.CustomType(cls=cls) if cls is Duration:
                return self._duration(raw, place)
            case inspect.CustomType(cls=cls) if cls is Condition:
                return self.condition(raw, place)
            case inspect.IntType() | inspect.FloatType() | inspect.DecimalType():
                return self._number(node, raw, place)
            case inspect.StrType():
                return self._text(node, raw, place)
            case _:
                return raw

    def condition(self, raw: Any, place: Place) -> Condition | _Bad:
        """Return one condition."""
        if not isinstance(raw, str):
            return self._bad(place, f"must be a condition in quotes, not {kind_of(raw)}")
        try:
            return parse_condition(raw)
        except ConditionError as error:
            return self._bad(place, str(error))

    def _duration(self, raw: str, place: Place) -> Duration | _Bad:
        try:
            duration = Duration.parse(raw)
        except UnitError as error:
            return self._bad(place, str(error))
        if duration.seconds > MAX_DURATION:
            return self._bad(place, f"{quoted(raw)} is longer than a century")
        return duration

    def _number(self, node: inspect.Type, raw: Any, place: Place) -> Any:
        if isinstance(raw, int) and abs(raw) > MAX_INTEGER:
            return self._bad(place, f"is too large: at most {MAX_INTEGER}")
        if isinstance(raw, Decimal) and not (raw.is_finite() and abs(raw.adjusted()) < MAX_MAGNITUDE):
            return self._bad(place, f"must be a finite number of reasonable size, not {quoted(str(raw))}")
        if isinstance(node, inspect.IntType | inspect.FloatType):
            for bound, words, sign in (
                (node.ge, "at least", operator.ge),
                (node.gt, "more than", operator.gt),
                (node.le, "at most", operator.le),
                (node.lt, "less than", operator.lt),
            ):
                if bound is not None and not sign(raw, bound):
                    return self._bad(place, f"must be {words} {bound}, not {raw}")
        if isinstance(node, inspect.DecimalType):
            return Decimal(raw)
        return float(raw) if isinstance(node, inspect.FloatType) else raw

    def _text(self, node: inspect.StrType, raw: str, place: Place) -> Any:
        if node.min_length and len(raw) < node.min_length:
            return self._bad(
                place, "must not be empty" if not raw else f"has fewer than {node.min_length} characters"
            )
        if node.max_length is not None and len(raw) > node.max_length:
            return self._bad(place, f"has more than {node.max_length} characters")
        return raw

    def _union(self, node: inspect.UnionType, raw: Any, place: Place) -> Any:
        members = [each for each in node.types if not isinstance(each, inspect.NoneType)]
        fitting = next((each for each in members if fits(each, raw)), None)
        if fitting is None and len(members) > 1:
            return self._bad(place, f"must be {either(map(wanted, members))}, not {kind_of(raw)}")
        return self._value(fitting or members[0], raw, place)

    def _list(self, node: inspect.ListType | inspect.VarTupleType, raw: Any, place: Place) -> Any:
        if not isinstance(raw, list):
            remedy = "; put it in brackets" if fits(node.item_type, raw) else ""
            return self._bad(place, f"must be {wanted(node)}, not {kind_of(raw)}{remedy}")
        values = [self._value(node.item_type, each, place.at(index)) for index, each in enumerate(raw)]
        if BAD in values:
            return BAD
        if node.min_length and len(values) < node.min_length:
            return self._bad(place, "must not be empty")
        return tuple(values) if isinstance(node, inspect.VarTupleType) else values

    def _dict(self, node: inspect.DictType, raw: Any, place: Place) -> Any:
        if not isinstance(raw, dict):
            return self._bad(place, f"must be a table, not {kind_of(raw)}")
        values = {key: self._value(node.value_type, each, place.at(key)) for key, each in raw.items()}
        return BAD if BAD in values.values() else values

    def _anything(self, raw: Any, place: Place) -> Any:
        match raw:
            case bool() | str():
                return raw
            case int() | Decimal():
                return self._number(_ANY_NUMBER, raw, place)
            case dt.datetime() | dt.date() | dt.time():
                return raw.isoformat()
            case list():
                values = [self._anything(each, place.at(index)) for index, each in enumerate(raw)]
                return BAD if BAD in values else values
            case dict():
                entries = {key: self._anything(each, place.at(key)) for key, each in raw.items()}
                return BAD if BAD in entries.values() else entries
            case _:
                return self._bad(place, f"must not be {kind_of(raw)}")


_ANY_NUMBER = inspect.IntType()


def _meant(raw: str, choices: Collection[str]) -> str:
    meant = nearest(raw, choices)
    return f"; did you mean '{meant}'?" if meant else ""


def _one_of(choices: Collection[str]) -> str:
    return either(f"'{each}'" for each in choices)
