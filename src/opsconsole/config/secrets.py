"""Refuses checklists that hold a secret: a definition goes whole into every record that is made with it.

Only what is unmistakable is refused (the password of a URL or of a connection string, a header, a key, the token of
a service): `password = 'x'` in a query may be what is looked for.
"""

import re
from collections.abc import Iterator
from typing import Any

from opsconsole.config.diagnostics import Keys, Place, Report
from opsconsole.model.redaction import unmistakable

_PLACEHOLDER = re.compile(r"\{[a-z_]*\}")


def refuse_secrets(tables: Any, report: Report) -> None:
    """Report every text in `tables` that holds a secret; no message repeats it."""
    for keys, text in _texts(tables, ()):
        if unmistakable(_PLACEHOLDER.sub("", text)):
            report.error(
                Place(keys),
                "holds what looks like a secret, and a checklist is part of every record made with it: let the "
                "environment, a password file or a service file give it",
            )


def _texts(value: Any, keys: Keys) -> Iterator[tuple[Keys, str]]:
    match value:
        case str():
            yield keys, value
        case dict():
            for key, each in value.items():
                yield keys, key
                yield from _texts(each, (*keys, key))
        case list():
            for index, each in enumerate(value):
                yield from _texts(each, (*keys, index))
