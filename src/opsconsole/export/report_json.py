"""A report as JSON, for programs: `opsconsole.report.v1` and `opsconsole.qualification-report.v1`."""

import json
from typing import Any

import msgspec

from opsconsole.export.json import encodable


def report_json(report: msgspec.Struct) -> str:
    """Return a report as one JSON object, indented, in ASCII, every key always there; texts exactly as recorded.

    Numbers of sources are objects with the decimal as a text and its unit, shares and percentages texts.
    """
    plain: Any = encodable(msgspec.to_builtins(report, str_keys=True))
    return json.dumps(plain, indent=2, ensure_ascii=True, allow_nan=False).replace("\x7f", "\\u007f") + "\n"
