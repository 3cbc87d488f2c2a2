"""How types of structs are written in TOML: what fits, and what they are called in messages."""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from msgspec import inspect

from opsconsole.config.words import either
from opsconsole.model.conditions import Condition
from opsconsole.model.text import visible
from opsconsole.model.values import Duration


def fits(node: inspect.Type, raw: Any) -> bool:
    """Return whether a TOML value is of the kind that a type is written as."""
    match node:
        case inspect.Metadata(type=inner):
            return fits(inner, raw)
        case inspect.StrType() | inspect.EnumType() | inspect.LiteralType():
            return isinstance(raw, str)
        case inspect.BoolType():
            return isinstance(raw, bool)
        case inspect.IntType():
            return isinstance(raw, int) and not isinstance(raw, bool)
        case inspect.DecimalType() | inspect.FloatType():
            return isinstance(raw, int | Decimal) and not isinstance(raw, bool)
        case inspect.CustomType(cls=cls):
            return isinstance(raw, str) if cls in {Duration, Condition} else isinstance(raw, cls)
        case inspect.ListType() | inspect.VarTupleType():
            return isinstance(raw, list)
        case inspect.DictType() | inspect.StructType():
            return isinstance(raw, dict)
        case inspect.UnionType(types=types):
            return any(fits(each, raw) for each in types)
        case inspect.DateType():
            return isinstance(raw, dt.date) and not isinstance(raw, dt.datetime)
        case inspect.AnyType():
            return True
        case _:
            return False


_WANTED: Mapping[type[inspect.Type], tuple[str, str]] = {
    inspect.StrType: ("a text", "texts"),
    inspect.BoolType: ("true or false", "truth values"),
    inspect.IntType: ("a whole number", "whole numbers"),
    inspect.DecimalType: ("a number", "numbers"),
    inspect.FloatType: ("a number", "numbers"),
    inspect.StructType: ("a table", "tables"),
    inspect.DictType: ("a table", "tables"),
    inspect.EnumType: ("a text", "texts"),
    inspect.LiteralType: ("a text", "texts"),
    inspect.DateType: ("a date", "dates"),
    inspect.ListType: ("a list", "lists"),
    inspect.VarTupleType: ("a list", "lists"),
}


def wanted(node: inspect.Type, *, many: bool = False) -> str:
    """Return what a type is called in messages: `a whole number`, `a list of texts`."""
    match node:
        case inspect.Metadata(type=inner):
            return wanted(inner, many=many)
        case inspect.CustomType(cls=cls) if cls is Condition:
            return "conditions in quotes" if many else "a condition in quotes"
        case inspect.CustomType(cls=cls) if cls is Duration:
            return "durations such as '10 s'" if many else "a duration in quotes such as '10 s'"
        case inspect.UnionType(types=types):
            return either(wanted(each, many=many) for each in types if not isinstance(each, inspect.NoneType))
        case inspect.ListType(item_type=inner) | inspect.VarTupleType(item_type=inner):
            return f"{'lists' if many else 'a list'} of {wanted(inner, many=True)}"
        case _:
            return _WANTED.get(type(node), ("another value", "other values"))[many]


def advice(node: inspect.Type, raw: Any) -> str:
    """Return how the value could be written so that it would do."""
    match node, raw:
        case inspect.BoolType(), "true" | "false":
            return "; leave the quotes out"
        case inspect.IntType() | inspect.DecimalType(), str() if raw.strip().replace(".", "", 1).isdigit():
            return "; leave the quotes out"
        case inspect.StrType(), bool() | int() | Decimal():
            return f'; put it in quotes: "{visible(str(raw)).lower()}"' if len(str(raw)) < 20 else ""  # noqa: PLR2004 - a longer one is no slip
        case inspect.StrType(), dt.datetime() | dt.date() | dt.time():
            return "; put it in quotes"
        case _:
            return ""
