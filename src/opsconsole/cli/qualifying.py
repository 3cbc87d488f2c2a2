"""`qualification`: how far the counts of passing days are, what people say of them, and the decision at the end."""

import datetime as dt
import sys
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from opsconsole.cli.common import UsageError, emit, narrate, opened_services, options_of, plain_json, report
from opsconsole.cli.exits import Exit
from opsconsole.cli.listing import moment_of
from opsconsole.cli.reporting import qualification_report
from opsconsole.cli.running import Headless, parsed_date, run_headless
from opsconsole.cli.signing import (
    AttributedOption,
    KeyOption,
    ReauthenticateOption,
    YesOption,
    without_key_of,
)
from opsconsole.cli.tables import table
from opsconsole.model.events import AmendmentKind, Meaning, Via
from opsconsole.model.text import visible

if TYPE_CHECKING:
    from opsconsole.cli.deciding import Decided
    from opsconsole.cli.proposing import Matter, Means
    from opsconsole.config.diagnostics import Diagnostic
    from opsconsole.engine.approving import Case
    from opsconsole.model.counting import Day, QualificationState, Reset
    from opsconsole.model.qualifications import DayFact, Qualification
    from opsconsole.wiring.services import Services

qualification_commands = typer.Typer(
    help="Counts of consecutive passing days, and the decision at their end (see docs/qualifications.md).",
    no_args_is_help=True,
)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="A qualification such as qbr-9day.")]
DateArgument = Annotated[str, typer.Argument(metavar="DATE", help="A day of it, such as 2026-11-21.")]
AtOption = Annotated[
    str,
    typer.Option("--at", metavar="TIME", help="How it was at another moment: 2026-11-21T08:00, or a date."),
]
ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it becomes part of the record.")]


@qualification_commands.command("list")
def list_qualifications(context: typer.Context) -> None:
    """List the qualifications and how far each is, by what is stored; `status` verifies it first."""
    with opened_services(options_of(context), Via.COMMAND) as parts:
        for problem in _problems(parts):
            narrate(str(problem))
        rows = [_listed(parts.engine.qualifying.state(name)) for name in parts.qualifications]
        if not rows:
            narrate('there is none; name a directory of them in config.toml: qualifications = ["qualifications"]')
        head = ("QUALIFICATION", "PHASE", "DAY", "SINCE", "OPEN", "TITLE")
        sys.stdout.write(table([head, *rows]) if rows else "")


def _problems(parts: "Services") -> "list[Diagnostic]":
    """Return what is wrong with qualifications, and with the places in which they are looked for."""
    qualified = parts.definitions.qualified
    return [*qualified.problems, *(each for found in qualified.found for each in found.problems)]


def _listed(state: "QualificationState") -> tuple[str, ...]:
    from opsconsole.cli.qualification_text import day_words

    open_resets = len(state.unexplained)
    wanting = [f"{open_resets} without a reason"] if open_resets else []
    wanting += ["a decision no longer stands"] if state.overturned else []
    return (
        state.definition.id,
        str(state.phase),
        day_words(state.current) if state.current.reached is None else f"{state.current.passed} passed",
        str(state.current.first or "-"),
        "; ".join(wanting) or "-",
        state.definition.title,
    )


@qualification_commands.command("status")
def status(
    context: typer.Context,
    name: NameArgument,
    at: AtOption = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print a document for programs.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Whether to verify the records that it rests on.")
    ] = True,
    all_counts: Annotated[bool, typer.Option("--all", help="The days of earlier counts too.")] = False,
) -> None:
    """Show a qualification: its days, its resets, what is missing, and what stands against an approval.

    It is computed from the records each time, which are verified first. Exit codes: 0 nothing is wrong, however far
    it is; 1 a record does not hold, a reset has no documented reason, or a decision no longer stands; 2 wrong usage
    or configuration; 3 nothing is known to be wrong, but something could not be checked.
    """
    with opened_services(options_of(context), Via.COMMAND) as parts:
        definition = _known(parts, name)
        moment = _moment(parts, definition, at) if at else None
        case = parts.approving().case(name, moment, verify=verify)
        code = _status_code(case)
        if as_json:
            import msgspec

            from opsconsole.cli.qualification_json import case_document

            document = msgspec.json.encode(case_document(case, parts.engine.store, int(code)))
            emit(plain_json(msgspec.json.format(document, indent=2).decode()) + "\n", None)
        else:
            from opsconsole.cli.qualification_text import case_lines

            emit("".join(f"{line}\n" for line in case_lines(case, all_counts=all_counts)), None)
        raise typer.Exit(code)


def _moment(parts: "Services", definition: "Qualification", at: str) -> dt.datetime:
    """Read an instant; one without a zone is in that of the checklist that is counted."""
    return moment_of(at, parts.engine.zone_of(parts.checklist(definition.checklist)))


def _status_code(case: "Case") -> Exit:
    state = case.state
    if state.unexplained or state.overturned:
        return Exit.FAILED
    if case.evidence is None or case.evidence.is_whole:
        return Exit.OK
    return Exit.UNMEASURED if case.evidence.holds else Exit.FAILED


@qualification_commands.command("review")
def review(context: typer.Context, name: NameArgument) -> None:
    """Measure the final review, and tell what it still needs before it can be signed.

    It is an ordinary run: the console opens it too, and `opsconsole sign` signs it. Exit codes as of
    `opsconsole run --headless`; 1 also where it is not its time yet.
    """
    with opened_services(options_of(context), Via.COMMAND) as parts:
        definition = _known(parts, name)
        if not definition.review:
            raise UsageError(f"{name} asks for no final review: it is decided on at once")
        state = parts.engine.qualifying.state(name)
        if state.current.reached is None:
            from opsconsole.cli.qualification_text import day_words

            _refuse(f"the final review opens when {name} has been reached: {day_words(state.current)}")
        run = parts.engine.qualifying.review_run(definition, state.current)
        code = run_headless(parts, run, "", Headless())
        for line in _review_needs(parts, name):
            narrate(line)
        raise typer.Exit(code)


def _review_needs(parts: "Services", name: str) -> list[str]:
    """Return what the final review needs, and then the qualification."""
    case = parts.approving().case(name, verify=False)
    found = case.review
    if found is None or found.signed_at is not None:
        return list(case.missing)
    if case.review_hurdles:
        left = [f"- {each}" for each in case.review_hurdles]
        return [f"before {found.run} can be signed:", *left, f"in the console: opsconsole run {found.run}"]
    return [f"it can be signed: opsconsole sign {found.run}"]


# --- decisions -------------------------------------------------------------------------------------


@qualification_commands.command("approve")
def approve(
    context: typer.Context,
    name: NameArgument,
    ready: Annotated[
        bool | None,
        typer.Option(
            "--ready/--not-ready", help="Whether the system is ready for the next phase.", show_default="asked"
        ),
    ] = None,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="What goes with it; needed with --not-ready.")
    ] = "",
    key: KeyOption = "",
    attributed: AttributedOption = False,
    reauthenticate: ReauthenticateOption = False,
    yes: YesOption = False,
) -> None:
    """Approve a qualification: show everything it rests on, ask, and sign that with the key of an approver.

    By somebody who has signed none of its days, nor the final review. Exit codes: 0 approved; 1 not approved
    (something stands against it, you may not decide, no key that may sign, the answer was no); 2 wrong usage or
    configuration; 4 the record could not be written.
    """
    means = _means(key, attributed=attributed, reauthenticate=reauthenticate)
    from opsconsole.cli.deciding import Decided
    from opsconsole.engine.approving import Verdict

    with opened_services(options_of(context), Via.COMMAND) as parts:
        definition = _known(parts, name)
        seen = None
        if ready is None:
            seen = _shown(parts, name, yes=yes)
            ready = typer.confirm(f"Is it ready for {definition.phase}?", default=None, err=True)
            if not ready and not reason.strip():
                reason = typer.prompt("Why not", err=True)
        verdict = Verdict(meaning=Meaning.APPROVED, ready=ready, reason=reason)
        raise typer.Exit(_decide(parts, Decided(name, verdict, means, seen), yes=yes))


@qualification_commands.command("refuse")
def refuse(
    context: typer.Context,
    name: NameArgument,
    reason: ReasonOption,
    key: KeyOption = "",
    attributed: AttributedOption = False,
    reauthenticate: ReauthenticateOption = False,
    yes: YesOption = False,
) -> None:
    """Refuse a qualification that was reached: the count begins anew on the day after.

    The same is shown as for an approval, and the same people may decide. Exit codes: 0 refused; 1 not refused (it
    is not reached, it was decided on, you may not decide, no key that may sign, the answer was no); 2 wrong usage
    or configuration; 4 the record could not be written.
    """
    means = _means(key, attributed=attributed, reauthenticate=reauthenticate)
    from opsconsole.cli.deciding import Decided
    from opsconsole.engine.approving import Verdict

    with opened_services(options_of(context), Via.COMMAND) as parts:
        _known(parts, name)
        verdict = Verdict(meaning=Meaning.REFUSED, reason=reason)
        raise typer.Exit(_decide(parts, Decided(name, verdict, means), yes=yes))


def _decide(parts: "Services", decided: "Decided", *, yes: bool) -> Exit:
    """Have it decided, if the person agrees; say what it comes to then."""
    code = _asked_for(parts, decided, yes=yes)
    if code is Exit.OK:
        from opsconsole.cli.qualification_text import standing_words

        narrate(f"{decided.name} is {standing_words(parts.engine.qualifying.state(decided.name))}")
    return code


def _asked_for(parts: "Services", matter: "Matter", *, yes: bool) -> Exit:
    from opsconsole.cli.asking import Asking, carried_out

    return carried_out(parts, matter, Asking(yes))


def _shown(parts: "Services", name: str, *, yes: bool) -> "Case":
    """Show what there is to approve, before it is asked whether the system is ready; return it.

    Raises UsageError where nobody is there to answer: that is nobody's default.
    """
    from opsconsole.cli.qualification_text import case_lines
    from opsconsole.engine.approving import Verdict, refuse_verdict
    from opsconsole.engine.entering import ActionRefused

    if yes or not sys.stdin.isatty():
        raise UsageError("say --ready or --not-ready: it is part of what is signed")
    case = parts.approving().case(name)
    try:
        refuse_verdict(case, Verdict(meaning=Meaning.APPROVED, ready=True))
    except ActionRefused as error:
        report(error)
        raise typer.Exit(Exit.FAILED) from error
    emit("".join(f"{line}\n" for line in case_lines(case)), None)
    return case


# --- what is documented ----------------------------------------------------------------------------


@qualification_commands.command("reset")
def reset(
    context: typer.Context,
    name: NameArgument,
    date: DateArgument,
    reason: ReasonOption,
    key: KeyOption = "",
    attributed: AttributedOption = False,
    reauthenticate: ReauthenticateOption = False,
    yes: YesOption = False,
) -> None:
    """Document why a count began anew: signed, as an amendment of the run of that day.

    It changes nothing about the count; a reset stays open, and stands against an approval, until this is done. Exit
    codes: 0 documented; 1 not documented (no count ended on that day, its run is not signed yet, no key that may
    sign, the answer was no); 2 wrong usage or configuration; 4 the record could not be written.
    """
    means = _means(key, attributed=attributed, reauthenticate=reauthenticate)
    with opened_services(options_of(context), Via.COMMAND) as parts:
        state = _verified(parts, name)
        found = _reset_on(state, parsed_date(date))
        day = state.day_of(found.run)
        if day is None:
            _refuse(f"that count was refused: {found.run} holds the decision and its reason")
        from opsconsole.cli.qualification_text import reset_words

        emit(f"The count of {name} began anew: {visible(reset_words(found))}\n", None)
        raise typer.Exit(_documented(parts, state, found, day.fact, reason, means, yes=yes))


@qualification_commands.command("exclude")
def exclude(
    context: typer.Context,
    name: NameArgument,
    date: DateArgument,
    reason: ReasonOption,
    key: KeyOption = "",
    attributed: AttributedOption = False,
    reauthenticate: ReauthenticateOption = False,
    yes: YesOption = False,
) -> None:
    """Ask for a day not to count, neither for nor against: signed, as an amendment of its run.

    It holds once a second person has reviewed that run: `opsconsole sign RUN --as reviewed`. Exit codes as of
    `qualification reset`.
    """
    means = _means(key, attributed=attributed, reauthenticate=reauthenticate)
    with opened_services(options_of(context), Via.COMMAND) as parts:
        state = _verified(parts, name)
        day = _day_on(state, parsed_date(date))
        said = day.fact.exclusion
        if said is not None and said.accepted_by:
            _refuse(f"{day.fact.run} is excluded already, by {said.who} and {said.accepted_by}")
        why = parts.engine.qualifying.takes_no_amendment(state.definition, day.fact)
        if why:
            _refuse(f"{day.fact.run} takes no amendment: {why}")
        code = _amended(parts, AmendmentKind.EXCLUDED, name, day.fact, reason, means, yes=yes)
        if code is Exit.OK:
            narrate(f"it holds once a second person has reviewed it: opsconsole sign {day.fact.run} --as reviewed")
        raise typer.Exit(code)


def _documented(
    parts: "Services",
    state: "QualificationState",
    found: "Reset",
    fact: "DayFact",
    reason: str,
    means: "Means",
    *,
    yes: bool,
) -> Exit:
    """Have the reason of a reset signed, in the record of a later run where its own takes no amendment."""
    from opsconsole.cli.proposing import Correction, SignedRun
    from opsconsole.engine.entering import ActionRefused

    name = state.definition.id
    try:
        run = parts.engine.qualifying.documented_in(state, found)
    except ActionRefused as error:
        _refuse(str(error), error.hint)
    if run == found.run:
        return _amended(parts, AmendmentKind.RESET, name, fact, reason, means, yes=yes)
    narrate(f"{found.run} takes no amendment: its reason is given in the record of {run}")
    correction = Correction(AmendmentKind.RESET, reason, qualification=name, about=found.run)
    return _asked_for(parts, SignedRun(run, Meaning.AMENDED, means, correction), yes=yes)


def _amended(
    parts: "Services", kind: AmendmentKind, name: str, fact: "DayFact", reason: str, means: "Means", *, yes: bool
) -> Exit:
    from opsconsole.cli.proposing import Correction, SignedRun
    from opsconsole.cli.qualification_text import before_amending

    first = before_amending(fact)
    if first:
        _refuse(f"{fact.run} is not signed: what is documented about it is an amendment", f"first: {first}")
    correction = Correction(kind, reason, qualification=name)
    return _asked_for(parts, SignedRun(fact.run, Meaning.AMENDED, means, correction), yes=yes)


# --- what they have in common ----------------------------------------------------------------------


def _means(key: str, *, attributed: bool, reauthenticate: bool) -> "Means":
    from opsconsole.cli.proposing import Means

    return Means(key, without_key_of(key, attributed=attributed, reauthenticate=reauthenticate))


def _known(parts: "Services", name: str) -> "Qualification":
    """Return the definition of that name; raises UsageError with those there are, or what is wrong with it."""
    found = parts.qualifications.get(name)
    if found is not None:
        return found
    broken = next((each for each in parts.definitions.qualified.found if each.id == name), None)
    if broken is not None:
        said = "\n".join(map(str, broken.problems))
        raise UsageError(f"'{name}' cannot be used:\n{said}")
    from opsconsole.config.words import guess

    raise UsageError(f"there is no qualification '{name}'{guess(name, parts.qualifications, 'there are')}")


def _verified(parts: "Services", name: str) -> "QualificationState":
    """Return how far it is by records that were verified: those that do not hold have reset it too."""
    _known(parts, name)
    return parts.approving().case(name).state


def _reset_on(state: "QualificationState", date: dt.date) -> "Reset":
    found = next((each for each in state.resets if each.date == date), None)
    if found is None:
        there_are = ", ".join(str(each.date) for each in state.resets) or "none"
        _refuse(f"no count of {state.definition.id} ended on {date}; resets: {there_are}")
    return found


def _day_on(state: "QualificationState", date: dt.date) -> "Day":
    days = (each for attempt in reversed(state.attempts) for each in attempt.days)
    found = next((each for each in days if each.fact.date == date), None)
    if found is None:
        _refuse(f"{date} is no day of {state.definition.id}")
    return found


def _refuse(message: str, hint: str = "") -> NoReturn:
    """Say why it is not done, and end with the exit code for that."""
    from opsconsole.engine.entering import ActionRefused

    report(ActionRefused(message, hint))
    raise typer.Exit(Exit.FAILED)


qualification_commands.command("report")(qualification_report)
