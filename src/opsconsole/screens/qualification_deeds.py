"""What people do about a qualification: reasons of resets, exclusions, reviews, the final review, the decision."""

import asyncio
from collections.abc import Callable

from opsconsole.engine.outlook import Outlook
from opsconsole.model.checklists import Checklist
from opsconsole.model.counting import DayState, Phase, QualificationState, Reset
from opsconsole.model.errors import OpsconsoleError
from opsconsole.model.events import AmendmentKind, Meaning
from opsconsole.model.qualifications import DayFact, Qualification
from opsconsole.screens import amend_forms
from opsconsole.screens.base import WARNING, ConsoleScreen
from opsconsole.screens.live import LiveRun
from opsconsole.screens.phrases import day as day_words
from opsconsole.screens.qualification_rows import DAY, RESET, WANTED


class QualificationDeeds(ConsoleScreen):
    """The part of the qualification's screen that changes the record: each deed is signed like every other."""

    definition: Qualification

    @property
    def outlook(self) -> Outlook | None:
        """What was read last; None as long as nothing was."""
        raise NotImplementedError

    @property
    def chosen_key(self) -> str:
        """The key of the row under the cursor."""
        raise NotImplementedError

    @property
    def checklist(self) -> Checklist | None:
        """The checklist that is counted, None where there is none of that name any more."""
        return self.console.services.checklists.get(self.definition.checklist)

    # --- which day -----------------------------------------------------------------------------------

    @property
    def chosen_run(self) -> str:
        """The run that the row under the cursor is about; empty where it is about none."""
        key = self.chosen_key
        if key.startswith(WANTED):
            return key.removeprefix(WANTED).partition(":")[2]
        for start in (DAY, RESET):
            if key.startswith(start):
                return key.removeprefix(start)
        return ""

    @property
    def chosen_day(self) -> DayFact | None:
        """The day under the cursor."""
        found = self.outlook.state.day_of(self.chosen_run) if self.outlook is not None else None
        return found.fact if found is not None else None

    @property
    def chosen_reset(self) -> Reset | None:
        """The reset under the cursor, else the first that has no reason yet."""
        if self.outlook is None:
            return None
        state, run = self.outlook.state, self.chosen_run
        return next((each for each in state.resets if each.run == run), next(iter(state.unexplained), None))

    # --- amendments ----------------------------------------------------------------------------------

    def action_reason(self) -> None:
        """Document why the count began anew."""
        reset = self.chosen_reset
        if self.outlook is None or reset is None:
            self.say("every reset has its reason" if self.outlook is not None else "one moment", WARNING)
            return
        self.console.start_first("looking where the reason goes", self._document, self.outlook.state, reset)

    async def _document(self, state: QualificationState, reset: Reset) -> None:
        """Ask for the reason of a reset, in the record of its run or of the one that stands in for that."""
        try:
            holder = await asyncio.to_thread(self.console.services.engine.qualifying.documented_in, state, reset)
        except OpsconsoleError as error:
            self.say(f"{error}{f'; {error.hint}' if error.hint else ''}", WARNING)
            return
        about = f"{reset.run}\n{reset.cause}"
        if holder != reset.run:
            about += f"\nits own record takes no amendment: the reason is kept with {holder}"
        if reset.reason is not None:
            about += f"\nsaid so far: {reset.reason.text}"
        title = f"Why {self.definition.id} began anew on {day_words(reset.date)}"
        self._amend(AmendmentKind.RESET, holder, title, about, reset.run if holder != reset.run else "")

    def action_exclude(self) -> None:
        """Ask for a day not to count."""
        day = self.chosen_day
        if day is None:
            self.say("put the cursor on the day that is not to count", WARNING)
            return
        about = f"{day.run}\nIt will be neither for nor against the count once another person has reviewed it."
        self._amend(AmendmentKind.EXCLUDED, day.run, f"Why {day_words(day.date)} is not to count", about)

    def _amend(self, kind: AmendmentKind, run: str, title: str, about: str, of: str = "") -> None:
        if self._refuse_unsigned(run):
            return
        choice = amend_forms.Choice(kind, title, about, qualification=self.definition.id, run=of)
        self._with(run, lambda live: amend_forms.ask(self, live, choice))

    def _refuse_unsigned(self, run: str) -> bool:
        """Say what has to be done first where a run is not signed, and return that."""
        found = self.outlook.state.day_of(run) if self.outlook is not None else None
        if found is None or found.fact.signed_at is not None:
            return False
        what = "was missed: say in it why, and sign that" if not found.fact.opened else "is not signed: sign it"
        self.say(f"{run} {what} first. Enter on its day opens it", WARNING)
        return True

    def action_review(self) -> None:
        """Sign that the day was reviewed by a second person."""
        day = self.chosen_day
        if day is None:
            self.say("put the cursor on the day that you have reviewed", WARNING)
        elif day.signed_at is None:
            self.say(f"{day.run} is not signed yet: there is nothing to review", WARNING)
        else:
            self._with(day.run, self._review)

    def _review(self, live: LiveRun) -> None:
        from opsconsole.screens.signing import Purpose
        from opsconsole.screens.signoff import SignOffScreen

        self.app.push_screen(SignOffScreen(live.state, live, Purpose(Meaning.REVIEWED)))

    # --- the end -------------------------------------------------------------------------------------

    def action_final_review(self) -> None:
        """Open the run of the final review, measure it where nobody has, or show it where it is signed."""
        outlook = self.outlook
        name = self.definition.review
        if outlook is None or not name:
            self.say("no final review is asked for" if outlook is not None else "one moment", WARNING)
            return
        if outlook.review is None:
            self.say(f"the final review opens when {self.definition.days} days have passed", WARNING)
        elif outlook.review.signed_at is not None:
            self.console.read_run(outlook.review.run)
        else:
            self.open_named(outlook.review.run)

    def action_decide(self) -> None:
        """Show everything that there is to decide on."""
        from opsconsole.screens.qualification_decision import DecisionScreen

        outlook = self.outlook
        if outlook is None:
            self.say("one moment", WARNING)
        elif outlook.state.phase in {Phase.APPROVED, Phase.REFUSED}:
            self.say(f"it was {outlook.state.phase} already", WARNING)
        elif outlook.state.phase is not Phase.REACHED:
            passed = f"{outlook.state.current.passed} of {self.definition.days} days have passed"
            self.say(f"there is nothing to decide yet: {passed}", WARNING)
        else:
            self.app.push_screen(DecisionScreen(self.definition))

    # --- runs ----------------------------------------------------------------------------------------

    def open_named(self, run: str) -> None:
        """Open a run that can be worked on; one whose period is over and that nobody opened is a missed one."""
        found = self.period_of_run(run)
        if found is not None:
            self.console.open_run(*found)

    def show_run(self, run: str) -> None:
        """Show the run of a day: the present one to work on, one that nobody opened to say why, others to read."""
        found = self.outlook.state.day_of(run) if self.outlook is not None else None
        if found is None:
            self.console.read_run(run)
        elif not found.fact.opened or (found.state is DayState.WAITING and not self._is_over(found.fact)):
            self.open_named(run)
        else:
            self.console.read_run(run)

    def _is_over(self, day: DayFact) -> bool:
        return self.console.services.engine.clock() >= day.ends_at

    def _with(self, run: str, then: Callable[[LiveRun], None]) -> None:
        """Open a signed run in the background, and go on with `then`."""
        self.console.start_first("opening the run", self._join, run, then)

    async def _join(self, run: str, then: Callable[[LiveRun], None]) -> None:
        found = self.period_of_run(run)
        if found is None:
            return
        try:
            live = await self.console.runs.open(*found)
        except OpsconsoleError as error:
            self.say_error(error)
            return
        if self.is_attached:
            then(live)

    @property
    def offered(self) -> dict[str, bool]:
        """Which of the deeds can be asked for now, by the names of their commands."""
        outlook, day = self.outlook, self.chosen_day
        if outlook is None:
            return dict.fromkeys(("reason", "exclude", "review", "final_review", "decide", "open"), False)
        return {
            "reason": self.chosen_reset is not None,
            "exclude": day is not None and day.signed_at is not None,
            "review": day is not None and day.signed_at is not None,
            "final_review": outlook.review is not None,
            "decide": outlook.state.phase is Phase.REACHED,
        }
