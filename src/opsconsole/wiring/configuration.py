"""The configuration, with what this program knows of sources."""

from pathlib import Path

from opsconsole.checks.httpsources import http_problems
from opsconsole.checks.mysqlsources import mysql_problems
from opsconsole.checks.sources import dsn_problem
from opsconsole.config.loading import load_config
from opsconsole.config.settings import Config, LoadedConfig
from opsconsole.config.trust import unfit_for_state
from opsconsole.contracts.probe import Source, SourceKind
from opsconsole.model.errors import OpsconsoleError


def _postgresql_problems(source: Source) -> list[tuple[str, str]]:
    problem = dsn_problem(source.dsn)
    return [] if problem is None else [("dsn", problem)]


SOURCE_KINDS = {
    each.name: each
    for each in (
        SourceKind(name="postgresql", keys=("dsn",), check=_postgresql_problems),
        SourceKind(name="questdb", keys=("dsn",), check=_postgresql_problems),
        SourceKind(name="mysql", keys=("dsn", "password", "ca"), check=mysql_problems),
        SourceKind(
            name="http",
            keys=("url", "user", "password", "bearer", "headers", "ca", "connections"),
            check=http_problems,
        ),
    )
}
"""Kinds of sources, each with what is known of it without connecting."""


def loaded_config(config: Path | None, state: Path | None) -> LoadedConfig:
    """Return the configuration as it was found, usable or not."""
    return load_config(config, source_kinds=SOURCE_KINDS, state=state)


def configured(config: Path | None, state: Path | None) -> tuple[Config, tuple[str, ...]]:
    """Return the configuration and what to warn of; raises ConfigError with everything that is wrong with it."""
    loaded = loaded_config(config, state)
    if loaded.config is None or loaded.problems:
        raise ConfigError("it cannot be used:\n" + "\n".join(map(str, loaded.problems)))
    unfit = unfit_for_state(loaded.config.state)
    if unfit is not None:
        raise ConfigError(f"the state directory {loaded.config.state}: {unfit}")
    return loaded.config, tuple(map(str, loaded.warnings))


class ConfigError(OpsconsoleError):
    """The configuration cannot be used."""

    title = "configuration"
