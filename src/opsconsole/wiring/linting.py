"""What `opsconsole lint` looks at when it is not told."""

from collections.abc import Sequence
from pathlib import Path

from opsconsole.config.diagnostics import Diagnostic
from opsconsole.config.linting import lint_paths
from opsconsole.wiring.configuration import SOURCE_KINDS, loaded_config
from opsconsole.wiring.definitions import shipped_checklists, shipped_qualifications
from opsconsole.wiring.kinds import probe_kinds


def linted(paths: Sequence[Path], config: Path | None, state: Path | None) -> list[Diagnostic]:
    """Return every problem of `paths`; without any, of the configuration in use and the checklists it names."""
    loaded = loaded_config(config, state)
    sources = loaded.config.sources if loaded.config is not None and loaded.path is not None else None
    if paths:
        return lint_paths(paths, probe_kinds(), SOURCE_KINDS, sources=sources)
    if loaded.path is not None:
        found = lint_paths([loaded.path], probe_kinds(), SOURCE_KINDS)
    else:
        shipped = [shipped_checklists(), shipped_qualifications()]
        found = lint_paths(shipped, probe_kinds(), SOURCE_KINDS, check_trust=False)
    # What the environment says, and what depends on several layers, is in no file.
    return [*(each for each in (*loaded.problems, *loaded.warnings) if each not in found), *found]
