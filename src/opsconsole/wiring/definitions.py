"""The checklists that the configuration names, and those that come with the program."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from opsconsole.config.checklists import LoadedChecklist, LoadedChecklists, load_checklists
from opsconsole.config.qualifications import LoadedQualifications, load_qualifications
from opsconsole.config.runbooks import load_runbook, runbook_path
from opsconsole.config.settings import Config
from opsconsole.config.words import guess
from opsconsole.model.checklists import Checklist
from opsconsole.model.errors import OpsconsoleError
from opsconsole.model.qualifications import Qualification
from opsconsole.wiring.kinds import probe_kinds

OFFERED = "host-daily"
"""The shipped checklist that works before anything is configured."""


def shipped_checklists() -> Path:
    """Return the directory of the checklists that come with the program."""
    return _shipped("checklists")


def shipped_qualifications() -> Path:
    """Return the directory of the qualifications that come with the program."""
    return _shipped("qualifications")


def _shipped(name: str) -> Path:
    packaged = Path(__file__).parents[1] / "_shipped" / name
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / name


class ChecklistError(OpsconsoleError):
    """There is no checklist of that name, or it cannot be used."""

    title = "checklist"


@dataclass(frozen=True)
class Definitions:
    """The checklists there are, and what is wrong with the others."""

    loaded: LoadedChecklists
    qualified: LoadedQualifications = field(default_factory=LoadedQualifications)
    trusted: bool = True
    """Whether the files' permissions are looked at; those that come with the program are not."""

    @cached_property
    def checklists(self) -> dict[str, Checklist]:
        """The usable ones by id, in their order."""
        return {each.id: each.checklist for each in self.loaded.found if each.checklist is not None}

    @cached_property
    def problems(self) -> tuple[str, ...]:
        """Why some of them cannot be used, a line each: they are missing wherever the others are shown."""
        found = (str(problem) for each in self.loaded.found for problem in each.problems)
        of_qualifications = (str(problem) for each in self.qualified.found for problem in each.problems)
        return (*map(str, self.loaded.problems), *found, *map(str, self.qualified.problems), *of_qualifications)

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What is doubtful about those that can be used, a line each: for `lint`, and nowhere else."""
        return tuple(str(warning) for each in self.loaded.found for warning in each.warnings)

    @cached_property
    def qualifications(self) -> dict[str, Qualification]:
        """The usable ones by id, in their order."""
        return {each.id: each.qualification for each in self.qualified.found if each.qualification is not None}

    def checklist(self, name: str) -> Checklist:
        """Return the checklist called `name`; raises ChecklistError with what is wrong or what there is."""
        if name in self.checklists:
            return self.checklists[name]
        broken = next((each for each in self.loaded.found if each.id == name), None)
        if broken is not None:
            said = "\n".join(map(str, broken.problems))
            raise ChecklistError(f"'{name}' cannot be used:\n{said}")
        there_are = guess(name, self.checklists, "there are")
        unread = "".join(f"\n{each}" for each in self.loaded.problems)
        raise ChecklistError(f"there is no checklist '{name}'{there_are}{unread}")

    def runbook(self, checklist: str, name: str) -> str | None:
        """Return the text of a runbook, None where it cannot be read."""
        found: LoadedChecklist | None = next((each for each in self.loaded.found if each.id == checklist), None)
        if found is None:
            return None
        return load_runbook(runbook_path(found.path, name), check_trust=self.trusted).text


def with_qualifications(definitions: Definitions, places: Iterable[Path]) -> Definitions:
    """Return the same with the qualifications of `places`, which are read only where there are any."""
    found = tuple(places)
    if not found:
        return definitions
    loaded = load_qualifications(found, definitions.checklists, check_trust=definitions.trusted)
    return replace(definitions, qualified=loaded)


def definitions_of(config: Config) -> Definitions:
    """Return the checklists that the configuration names; with none named, the one that works on any host."""
    kinds = probe_kinds()
    if config.checklists:
        return with_qualifications(
            Definitions(load_checklists(config.checklists, kinds, sources=config.sources)), config.qualifications
        )
    offered = shipped_checklists() / f"{OFFERED}.toml"
    return Definitions(load_checklists([offered], kinds, check_trust=False), trusted=False)
