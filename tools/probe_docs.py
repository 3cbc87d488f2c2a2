"""Writes docs/probes.md from the option structs of the probes: `make docs`. A test compares the two."""

import ast
import inspect
import textwrap
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from opsconsole.checks._statements import PARAMETERS
from opsconsole.contracts.probe import ProbeKind
from opsconsole.model.encoding import dec_hook
from opsconsole.model.values import Duration, Unit
from opsconsole.wiring.kinds import probe_kinds

PAGE = Path(__file__).parent.parent / "docs" / "probes.md"

HEAD = """\
# Probes

What measures. An item names one by `probe = "…"`, and its options stand beside the item's other keys
(see [checklists.md](checklists.md)). This page is written from the source by `make docs`.

A probe reads and never judges. Where it cannot see, it says so: the item becomes an ERROR with cause and hint,
never a pass. Every item has a `timeout` (10 s unless it says otherwise).
"""


def field_docs(struct: type[msgspec.Struct]) -> dict[str, str]:
    """Return the docstring that follows each field in the source of a struct."""
    body = ast.parse(textwrap.dedent(inspect.getsource(struct))).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, after in zip(body.body, [*body.body[1:], None], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            said = ""
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                said = " ".join(str(after.value.value).split())
            found[field.target.id] = said
    return found


def type_name(kind: Any) -> str:
    """Return a type in the words of a checklist's author."""
    names = {
        str: "text",
        int: "whole number",
        Decimal: "number",
        bool: "true or false",
        Duration: "duration, `10 s`",
    }
    if kind in names:
        return names[kind]
    arguments = [each for each in get_args(kind) if each not in {type(None), ...}]
    origin = get_origin(kind)
    if origin is Annotated:
        return type_name(kind.__origin__)
    if origin is Literal:
        return " or ".join(f"`{each}`" for each in get_args(kind) if each)
    if origin in {tuple, list}:
        return f"list of {type_name(arguments[0])}"
    if origin is dict:
        return f"table of {type_name(arguments[1])}"
    if arguments:
        return " or ".join(type_name(each) for each in arguments)
    if isinstance(kind, type) and issubclass(kind, str):
        return " or ".join(f"`{each}`" for each in kind)  # type: ignore[attr-defined]
    return getattr(kind, "__name__", str(kind))


def default_text(field: msgspec.structs.FieldInfo) -> str:
    """Return what a field is where the checklist does not say."""
    value = field.default
    if field.required:
        return "required"
    if value is msgspec.NODEFAULT:
        value = field.default_factory() if field.default_factory is not msgspec.NODEFAULT else ""
    if value is None or value in ("", (), {}, []):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def unit_text(unit: Unit | None) -> str:
    """Return what a subject is, for a person."""
    words = {
        None: "text, moment or any number",
        Unit.COUNT: "plain number",
        Unit.PERCENT: "percentage",
        Unit.BYTES: "bytes",
        Unit.SECONDS: "duration",
    }
    return words[unit]


def subject_rows(kind: ProbeKind) -> list[str]:
    """Return what conditions may speak of, for each way of using the probe."""
    rows = []
    for title, options in EXAMPLES.get(kind.name, {"": {}}).items():
        subjects = kind.subjects(msgspec.convert(options, kind.options, dec_hook=dec_hook))
        if subjects is None:
            return ["", "Conditions speak of the columns of the result, and of `count`, `value` and `latency`."]
        rows += ["", f"| condition on{f', {title}' if title else ''} | is |", "|---|---|"]
        rows += [f"| `{name}` | {unit_text(unit)} |" for name, unit in subjects.items()]
    return rows


def section(kind: ProbeKind) -> str:
    """Return one probe's part of the page."""
    docs = field_docs(kind.options)
    lines = [f"\n## {kind.name}\n", kind.summary, ""]
    fields = msgspec.structs.fields(kind.options)
    if fields:
        lines += ["| option | what | type | default |", "|---|---|---|---|"]
    else:
        lines += ["It has no options."]
    for field in fields:
        said = docs.get(field.name, "").replace("|", "\\|")
        lines.append(f"| `{field.encode_name}` | {said} | {type_name(field.type)} | {default_text(field)} |")
    lines += subject_rows(kind)
    if kind.name == "history":
        lines += ["", "What each of them is: [Looking back](checklists.md#looking-back)."]
    if kind.name == "sql":
        lines += ["", "| parameter of a query | type | is |", "|---|---|---|"]
        lines += [f"| `:{name}` | {each.type} | {each.meaning} |" for name, each in PARAMETERS.items()]
    return "\n".join(lines) + "\n"


def page() -> str:
    """Return the whole page."""
    kinds = probe_kinds()
    return HEAD + "".join(section(kinds[name]) for name in sorted(kinds))


EXAMPLES: dict[str, dict[str, dict[str, Any]]] = {
    "command": {"": {"argv": ["true"]}},
    "disk": {"one file system": {}, "all of them": {"all": True}},
    "history": {"with `subject` and `limit`": {"item": "disk", "subject": "used", "limit": "90%"}},
    "journal": {"messages": {}, "events": {"unit": "backup.service", "events": True}},
    "sql": {"": {"source": "inventory", "query": "select 1"}},
    "timer": {"": {"unit": "backup.timer"}},
    "unit": {"one unit": {"unit": "backup.service"}, "failed units": {"state": "failed"}},
}
"""Options that show the subjects of a probe, for each way of using it."""

if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
