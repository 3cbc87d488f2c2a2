"""Loads qualifications: from TOML to the model, with every problem of a file told at once."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from opsconsole.config.checklists import checklist_files
from opsconsole.config.decoding import Decoder, Rules, keys_of
from opsconsole.config.diagnostics import WHOLE, Diagnostic, Report, Severity
from opsconsole.config.limits import an_id, one_line, whole
from opsconsole.config.secrets import refuse_secrets
from opsconsole.config.tomlfiles import read_toml
from opsconsole.config.words import guess, quoted
from opsconsole.model.checklists import Cadence, Checklist
from opsconsole.model.qualifications import ApprovalPolicy, Effect, Qualification

_NOBODY_SAW = 'a day that nobody saw cannot count: write "hold" or "reset"'

_RULES = Rules(
    checks={
        (Qualification, "title"): one_line,
        (Qualification, "checklist"): an_id,
        (Qualification, "days"): whole(1, 366),
        (Qualification, "system"): lambda text: one_line(text) if text else None,
        (Qualification, "review"): lambda text: an_id(text) if text else None,
        (Qualification, "phase"): one_line,
        (Qualification, "missed"): lambda effect: _NOBODY_SAW if effect is Effect.COUNT else None,
        (ApprovalPolicy, "within"): lambda within: None if within.seconds > 0 else "must be longer than nothing",
    },
    hints={(Qualification, "id"): "the id of a qualification is the name of its file"},
)
_KEYS = tuple(key for key in keys_of(Qualification) if key != "id")


class LoadedQualification(msgspec.Struct, frozen=True, kw_only=True):
    """A qualification as it was found, usable or not."""

    path: Path
    id: str
    qualification: Qualification | None
    problems: tuple[Diagnostic, ...] = ()


class LoadedQualifications(msgspec.Struct, frozen=True):
    """All that was found in the places of qualifications."""

    found: tuple[LoadedQualification, ...] = ()
    problems: tuple[Diagnostic, ...] = ()
    """What is wrong with the places themselves."""


def load_qualification(
    path: Path, checklists: Mapping[str, Checklist] | None = None, *, check_trust: bool = True
) -> LoadedQualification:
    """Read one file, whose name without `.toml` is the id; never raises for what a file holds.

    `checklists` are those that it may name; where it is None nobody looks.
    """
    tables, report = read_toml(path, check_trust=check_trust)
    qualification = None
    if tables is not None:
        decoder = Decoder(report, _RULES)
        wrong_name = an_id(path.stem)
        if wrong_name:
            report.error(WHOLE, f"the file is named after the id of its qualification, and {wrong_name}")
        meant = decoder.unknown_keys(Qualification, tables, _KEYS, WHOLE)
        values = decoder.fields(Qualification, tables, WHOLE, without={"id"}, excused=meant)
        refuse_secrets(tables, report)
        qualification = decoder.build(Qualification, values | {"id": path.stem}, WHOLE)
        if qualification is not None and checklists is not None:
            _check_names(qualification, checklists, report)
    return LoadedQualification(
        path=path,
        id=path.stem,
        qualification=None if report.failed else qualification,
        problems=report.diagnostics(Severity.ERROR),
    )


def _check_names(qualification: Qualification, checklists: Mapping[str, Checklist], report: Report) -> None:
    counted = checklists.get(qualification.checklist)
    if counted is None:
        told = guess(qualification.checklist, checklists, "there are")
        report.error(WHOLE.at("checklist"), f"there is no checklist {quoted(qualification.checklist)}{told}")
    elif counted.cadence is not Cadence.DAILY:
        report.error(
            WHOLE.at("checklist"),
            f"days are counted, and {quoted(counted.id)} is {counted.cadence}: it takes a daily one",
        )
    if not qualification.review:
        return
    review = checklists.get(qualification.review)
    if review is None:
        told = guess(qualification.review, checklists, "there are")
        report.error(WHOLE.at("review"), f"there is no checklist {quoted(qualification.review)}{told}")
    elif review.due.after != qualification.id:
        wanted = f'cadence = "once" and due = {{ after = "{qualification.id}" }}'
        report.error(WHOLE.at("review"), f"{quoted(review.id)} is no review of it: that has {wanted}")


def load_qualifications(
    places: Iterable[Path], checklists: Mapping[str, Checklist] | None = None, *, check_trust: bool = True
) -> LoadedQualifications:
    """Read the qualifications of directories (their `*.toml`) and single files."""
    found: dict[str, LoadedQualification] = {}
    problems: list[Diagnostic] = []
    for place in places:
        report = Report(str(place))
        for path in checklist_files(place, report, check_trust=check_trust):
            loaded = load_qualification(path, checklists, check_trust=check_trust)
            other = found.setdefault(loaded.id, loaded)
            if other.path != path:
                message = f"left out, because {other.path} is called '{loaded.id}' too"
                problems.append(Diagnostic(str(path), message))
        problems += report.diagnostics()
    return LoadedQualifications(tuple(found.values()), tuple(problems))
