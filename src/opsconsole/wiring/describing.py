"""What the options of a probe are, read from the source that defines them, in the words of a checklist's author."""

import ast
import inspect
import textwrap
from decimal import Decimal
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from opsconsole.model.values import Duration


def field_docs(struct: type[msgspec.Struct]) -> dict[str, str]:
    """Return the docstring that follows each field in the source of a struct, and of those it is made from."""
    found: dict[str, str] = {}
    for each in reversed(struct.__mro__):
        if each is not msgspec.Struct and issubclass(each, msgspec.Struct):
            found |= _own_docs(each)
    return found


def _own_docs(struct: type[msgspec.Struct]) -> dict[str, str]:
    try:
        body = ast.parse(textwrap.dedent(inspect.getsource(struct))).body[0]
    except (OSError, TypeError, SyntaxError):  # a struct of a third party that was made without a source
        return {}
    found: dict[str, str] = {}
    if not isinstance(body, ast.ClassDef):
        return found
    for field, after in zip(body.body, [*body.body[1:], None], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            said = ""
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                said = " ".join(str(after.value.value).split())
            found[field.target.id] = said
    return found


def type_name(kind: Any, *, many: bool = False) -> str:
    """Return a type in the words of a checklist's author; `many` of it are what a list or a table holds."""
    names = {
        str: "text",
        int: "whole number",
        Decimal: "number",
        bool: "true or false",
        Duration: "duration, `10 s`",
    }
    if many and kind in {bool, Duration}:
        return {bool: "truth values", Duration: "durations, `10 s`"}[kind]
    if kind in names:
        return f"{names[kind]}{'s' if many else ''}"
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return "tables" if many else "table"
    arguments = [each for each in get_args(kind) if each not in {type(None), ...}]
    origin = get_origin(kind)
    if origin is Annotated:
        return type_name(kind.__origin__, many=many)
    if origin is Literal:
        return " or ".join(f"`{each}`" for each in get_args(kind) if each)
    if origin in {tuple, list}:
        return f"{'lists' if many else 'list'} of {type_name(arguments[0], many=True)}"
    if origin is dict:
        return f"{'tables' if many else 'table'} of {type_name(arguments[1], many=True)}"
    if arguments:
        return " or ".join(type_name(each, many=many) for each in arguments)
    if isinstance(kind, type) and issubclass(kind, str):
        return " or ".join(f"`{each}`" for each in kind)  # type: ignore[attr-defined]
    return getattr(kind, "__name__", str(kind))


def nested(kind: Any) -> type[msgspec.Struct] | None:
    """Return the struct whose keys a table has, or each table of a list; None for anything else."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind
    return next((found for each in get_args(kind) if (found := nested(each)) is not None), None)


def default_text(field: msgspec.structs.FieldInfo) -> str:
    """Return what a field is where the checklist does not say."""
    value = field.default
    if field.required:
        return "required"
    if value is msgspec.NODEFAULT:
        value = field.default_factory() if field.default_factory is not msgspec.NODEFAULT else ""
    if value is None or value in ("", (), {}, []):
        return ""
    if isinstance(value, tuple):
        value = list(value)  # as TOML writes it
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
