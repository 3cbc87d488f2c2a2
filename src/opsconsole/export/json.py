"""A run as JSON, for programs: complete, in ASCII, its keys always all there and in the same order."""

import json
from typing import Any

import msgspec

from opsconsole.contracts.exporter import Report
from opsconsole.export.run_document import run_document


class JsonExporter:
    """The schema `opsconsole.run.v1`, described in `docs/formats.md`."""

    name = "json"
    suffix = ".json"

    def render(self, report: Report) -> str:
        """Return the run as one JSON object, indented, in ASCII; texts in it are exactly as they were recorded."""
        plain = encodable(msgspec.to_builtins(run_document(report), str_keys=True))
        text = json.dumps(plain, indent=2, ensure_ascii=True, allow_nan=False)
        # DEL is the one control character that JSON lets stand as it is; it can only be within a string.
        return text.replace("\x7f", "\\u007f") + "\n"


def encodable(value: Any) -> Any:
    """Return a plain value whose texts can be encoded: a lone surrogate, which readers refuse, is spelled out."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {encodable(key): encodable(each) for key, each in value.items()}
    return [encodable(each) for each in value] if isinstance(value, list) else value
