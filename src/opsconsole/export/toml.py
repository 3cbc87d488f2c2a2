"""A run as TOML, for programs and for people who would rather read that: the JSON document in other clothes.

https://toml.io/en/v1.0.0
"""

import datetime as dt
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

import msgspec
import tomli_w

from opsconsole.contracts.exporter import Report
from opsconsole.export.json import encodable
from opsconsole.export.run_document import run_document

NOTHING = {"type": "null"}
"""What stands for a value that a source did not give, where leaving it out would move or lose something."""

_HARMLESS = re.compile(r"[\n\x20-\x7e]*\Z")
_ASCII = re.compile(r"[^\n\x20-\x7e]")
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories of characters that steer a terminal, hide or reorder text; see `model.text`."""
_BEYOND_BMP = 0xFFFF


class TomlExporter:
    """The schema `opsconsole.run.v1` in TOML: what is null in JSON is left out, as TOML has no null."""

    name = "toml"
    suffix = ".toml"

    def render(self, report: Report) -> str:
        """Return the run as one TOML document; instants and dates are TOML's own."""
        plain = msgspec.to_builtins(run_document(report), str_keys=True, builtin_types=(dt.datetime, dt.date))
        document = tomli_w.dumps(_without_nulls(encodable(plain)))
        return document if _HARMLESS.match(document) else _ASCII.sub(_escaped, document)


def _without_nulls(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table without the keys that are null; in `measures` and lists something stands for null."""
    return {
        key: {name: _present(value) for name, value in each.items()} if key == "measures" else _present(each)
        for key, each in table.items()
        if each is not None
    }


def _present(value: Any) -> Any:
    if value is None:
        return NOTHING
    if isinstance(value, dict):
        return _without_nulls(value)
    return [_present(each) for each in value] if isinstance(value, list) else value


def _escaped(match: re.Match[str]) -> str:
    """Return a character as a TOML string may hold it: beyond ASCII there is nothing outside of strings."""
    char = match[0]
    if unicodedata.category(char) not in _UNSAFE:
        return char
    code = ord(char)
    return f"\\U{code:08x}" if code > _BEYOND_BMP else f"\\u{code:04x}"
