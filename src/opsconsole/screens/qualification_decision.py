"""What there is to decide on of a qualification; from here it is approved or refused, and that is signed."""

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from opsconsole.engine.approving import Approving, Case, Verdict, refuse_verdict
from opsconsole.engine.entering import ActionRefused
from opsconsole.engine.threads import in_daemon_thread
from opsconsole.model.approving import decider_objection
from opsconsole.model.errors import OpsconsoleError
from opsconsole.model.events import Meaning
from opsconsole.model.foureyes import signatory_now
from opsconsole.model.qualifications import Qualification
from opsconsole.screens.base import WARNING, ConsoleScreen
from opsconsole.screens.commands import Command, Where, bindings, commands_of
from opsconsole.screens.form import Answer, Form, FormScreen
from opsconsole.screens.live import LiveRun
from opsconsole.screens.phrases import number_of
from opsconsole.screens.qualification_case import case_paragraphs
from opsconsole.widgets.evidence import Paragraph, TextPane
from opsconsole.widgets.pieces import Piece

_LINES = 3
_ANSWERS = {"y": True, "yes": True, "n": False, "no": False}


class DecisionScreen(ConsoleScreen):
    """Shows the case, which is verified for it; an approval is not offered while anything stands against it."""

    WHERE: ClassVar[Where] = Where.DECISION
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Where.DECISION)]
    AUTO_FOCUS: ClassVar[str | None] = "TextPane"

    def __init__(self, definition: Qualification) -> None:
        super().__init__()
        self._definition = definition
        self._case: Case | None = None
        self._reading = False

    @property
    def _approving(self) -> Approving:
        return self.console.services.approving()

    def compose_body(self) -> ComposeResult:
        """Yield the case."""
        yield TextPane(id="case")

    def commands(self) -> list[Command]:
        """Return what can be asked for: no approval while something stands against it."""
        offered = {"approve": self._may(Meaning.APPROVED), "refuse": self._may(Meaning.REFUSED)}
        return [each for each in commands_of(Where.DECISION) if offered.get(each.name, True)]

    def _may(self, meaning: Meaning) -> bool:
        return self._case is not None and not self._reading and self._refusal(meaning) is None

    def _refusal(self, meaning: Meaning) -> ActionRefused | None:
        """Return why nobody can decide so, whatever they say."""
        if self._case is None:
            return ActionRefused("the records are being verified; one moment")
        try:
            refuse_verdict(self._case, Verdict(meaning=meaning, ready=meaning is Meaning.APPROVED, reason="-"))
        except ActionRefused as error:
            return error
        return None

    def on_mount(self) -> None:
        """Begin to verify what it rests on."""
        self.action_reload()

    def action_reload(self) -> None:
        """Read the record again, and verify it."""
        if self._reading:
            return
        self._reading = True
        self._case = None
        self._show()
        self.console.start("verifying", self._read)

    async def _read(self) -> None:
        try:
            self._case = await in_daemon_thread("verifying", partial(self._approving.case, self._definition.id))
        except OpsconsoleError as error:
            self.say_error(error)
        finally:
            self._reading = False
            self._show()

    def _show(self) -> None:
        if not self.is_attached:
            return
        case = self._case
        left = (Piece("Decision", "bold"), Piece(f" · {self._definition.title}"))
        self.show_top((left, (Piece(self._readiness(), "bold"),)))
        self.show_keys()
        pane = self.query_one("#case", TextPane)
        if case is None:
            text = (
                "reading and verifying every record that it rests on …" if self._reading else "it was not verified"
            )
            pane.show([Paragraph.plain(text, "dim")])
            return
        signatory = signatory_now(self.console.services.actor, None)
        pane.show(case_paragraphs(case, decider_objection(case.state, case.review_signatories, signatory)))

    def _readiness(self) -> str:
        if self._case is None:
            return "verifying …" if self._reading else "not verified"
        if self._case.blockers:
            return f"{number_of(len(self._case.blockers), 'cause')} against it"
        return "can be approved" if self._may(Meaning.APPROVED) else "decided"

    # --- deciding ------------------------------------------------------------------------------------

    def action_approve(self) -> None:
        """Ask whether it is ready for the next phase, and go on to the signature."""
        self._decide(Meaning.APPROVED)

    def action_refuse(self) -> None:
        """Ask why it is refused, and go on to the signature."""
        self._decide(Meaning.REFUSED)

    def _decide(self, meaning: Meaning) -> None:
        case, refusal = self._case, self._refusal(meaning)
        if case is None or refusal is not None:
            self.say("; ".join(str(refusal).splitlines()), WARNING)
            return
        form, made = self._form(case, meaning)

        def closed(said: str | None) -> None:
            if made:
                self.console.drafts[form.draft] = {"reason": made[-1].reason}
                self.console.start_first("opening the run", self._sign, case, made[-1], form.draft)
            else:
                self.say(said or "")

        self.app.push_screen(FormScreen(form), closed)

    def _form(self, case: Case, meaning: Meaning) -> tuple[Form, list[Verdict]]:
        """Return the form that asks for a verdict, and the list that it will be in."""
        made: list[Verdict] = []
        approves = meaning is Meaning.APPROVED
        phase = case.state.definition.phase

        async def save(typed: Mapping[str, str]) -> str:
            ready = _yes(typed["ready"], phase) if approves else False
            verdict = Verdict(meaning=meaning, ready=ready, reason=typed["reason"].strip())
            refuse_verdict(case, verdict)
            made.append(verdict)
            return ""

        attempt = case.state.current
        about = f"{case.name}, count {attempt.number}: {attempt.first} to {attempt.reached}"
        title = f"Refuse {self._definition.title}"
        answers: tuple[Answer, ...] = (Answer("reason", "reason", lines=_LINES),)
        if approves:
            title = f"Approve {self._definition.title}"
            about += f"\nIs it ready for {phase}? yes or no; the reason may stay empty where it is"
            answers = (Answer("ready", "ready"), *answers)
        draft = (case.run, str(meaning), case.name)
        return Form(title, about, answers, draft, save), made

    async def _sign(self, case: Case, verdict: Verdict, draft: tuple[str, ...]) -> None:
        from opsconsole.screens.pen import Deciding
        from opsconsole.screens.signing import Purpose
        from opsconsole.screens.signoff import SignOffScreen

        live = await self._opened(case.run)
        if live is not None and self.is_attached:
            deciding = Deciding(self._approving, case, verdict)
            purpose, before = Purpose(verdict.meaning, None, draft, deciding), len(live.state.signatures)

            def came_back(_key: str | None) -> None:
                if len(live.state.signatures) > before:
                    self.dismiss(None)
                else:
                    self.action_reload()

            self.app.push_screen(SignOffScreen(live.state, live, purpose), came_back)

    async def _opened(self, run: str) -> LiveRun | None:
        """Return the run that takes the decision; say why where it cannot be opened."""
        found = self.period_of_run(run)
        if found is None:
            return None
        try:
            live = await self.console.runs.open(*found)
            await live.session.refresh()
        except OpsconsoleError as error:
            self.say_error(error)
            return None
        return live


def _yes(text: str, phase: str) -> bool:
    """Read `yes` or `no`; raises ActionRefused for anything else."""
    answer = _ANSWERS.get(text.strip().lower())
    if answer is None:
        raise ActionRefused(f"is it ready for {phase}? answer yes or no")
    return answer
