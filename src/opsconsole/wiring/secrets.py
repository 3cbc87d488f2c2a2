"""Every value that is known to be secret here, so that no probe and no person can get it into a record."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import msgspec

from opsconsole.checks.pgsecrets import environment_secrets, stored_passwords
from opsconsole.config.references import UnresolvedError, is_reference, resolved
from opsconsole.config.settings import Config
from opsconsole.model.checklists import Checklist
from opsconsole.model.redaction import SHORTEST_SECRET

_SECRET_NAME = re.compile(
    r"passw(?:or)?d|passwd|passphrase|pwd\Z|secret|token|api_?key|access_?key|private_?key|credential",
    re.IGNORECASE,
)
_PLACE_NAME = re.compile(r"(?:FILE|PATH|DIR|DIRECTORY|SOCK|HOME)\Z", re.IGNORECASE)
"""What says where a secret is kept is none."""
_DIRECTORIES = frozenset({"PWD", "OLDPWD"})

_LONG = 8
"""Characters from which on a variable's value is surely no common word like `true`, which readings hold as well."""


def known_secrets(
    config: Config | None, checklists: Iterable[Checklist] = (), environ: Mapping[str, str] = os.environ
) -> tuple[str, ...]:
    """Return the values that must not reach a record, a log or a terminal.

    They are the passwords that libpq would take for the configured connections, the values of variables whose names
    say that they are secret, the passwords in variables that are URLs, the values of variables that commands are
    given (`pass_env`), and what references lead to (`env:NAME`, `file:PATH`). Without a configuration only what the
    environment and the default files tell is known.
    """
    checklists = tuple(checklists)
    named = {*_passed_on(checklists)} | {
        name
        for name in environ
        if _SECRET_NAME.search(name) and not _PLACE_NAME.search(name) and name not in _DIRECTORIES
    }
    dsns = [config.store.dsn, *(each.dsn for each in config.sources.values())] if config is not None else []
    of_environment = {environ[name] for name in named if len(environ.get(name, "")) >= _LONG}
    of_libpq = {each for each in stored_passwords(dsns) if len(each) >= SHORTEST_SECRET}
    kept = {each for each in _kept(config, checklists) if len(each) >= SHORTEST_SECRET}
    in_urls = {each for each in environment_secrets(environ) if len(each) >= SHORTEST_SECRET}
    return tuple(sorted(of_environment | of_libpq | in_urls | kept))


def _kept(config: Config | None, checklists: Iterable[Checklist]) -> Iterator[str]:
    """Yield what the references of sources and items lead to, as far as that can be read now."""
    sources = config.sources.values() if config is not None else ()
    said = [msgspec.to_builtins(each) for each in sources]
    said += [item.options for checklist in checklists for item in checklist.items]
    for text in _texts(said):
        if is_reference(text):
            with suppress(UnresolvedError):  # whoever needs it says so
                yield resolved(text)


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            yield from _texts(list(value.values()))
        case list() | tuple():
            for each in value:
                yield from _texts(each)


def _passed_on(checklists: Iterable[Checklist]) -> Iterator[str]:
    for checklist in checklists:
        for item in checklist.items:
            names = item.options.get("pass_env")
            yield from (each for each in names or () if isinstance(each, str))
