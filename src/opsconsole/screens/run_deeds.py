"""What an operator does about a run: each deed is on disk before it shows, and a refused one says why."""

import datetime as dt
from collections.abc import Callable

from opsconsole.engine.entering import ActionRefused
from opsconsole.model.actions import Action
from opsconsole.model.events import Meaning
from opsconsole.model.item_state import ItemState
from opsconsole.model.runs import RunState
from opsconsole.screens import action_forms, amend_forms, run_forms
from opsconsole.screens.base import WARNING, ConsoleScreen
from opsconsole.screens.commands import BY_ID
from opsconsole.screens.live import LiveRun
from opsconsole.screens.run_view import field_of, next_open_field


class RunDeeds(ConsoleScreen):
    """The part of the run's screen that changes the run."""

    @property
    def state(self) -> RunState:
        """The run as it stands now."""
        raise NotImplementedError

    @property
    def live(self) -> LiveRun | None:
        """The run that can be worked on; None where the screen only reads it."""
        raise NotImplementedError

    @property
    def refusal(self) -> str:
        """Why nothing about the run can be changed; empty where it can."""
        raise NotImplementedError

    @property
    def chosen_key(self) -> str:
        """The key of the row under the cursor."""
        raise NotImplementedError

    @property
    def chosen(self) -> ItemState | None:
        """The item under the cursor, if it is one."""
        return self.state.items.get(self.chosen_key)

    @property
    def chosen_action(self) -> Action | None:
        """The action item under the cursor, if it is one."""
        raise NotImplementedError

    @property
    def date(self) -> dt.date:
        """The present date where the checklist lives."""
        raise NotImplementedError

    def go_to(self, key: str) -> None:
        """Put the cursor on an item or a line of the day's sheet."""
        raise NotImplementedError

    def _may_change(self) -> LiveRun | None:
        """Return the run where it can be worked on, else say why not."""
        live = self.live
        if live is None or self.refusal:
            self.say(self.refusal, WARNING)
            return None
        return live

    def _may_see(self) -> LiveRun | None:
        """Return the run where somebody can still look at things, else say why not."""
        live = self._may_change()
        if live is None or not self.state.missed:
            return live
        key = BY_ID["run.note-run"].key
        self.say(f"the run was missed: what nobody saw then cannot be filled in now; {key} says why", WARNING)
        return None

    def _on_item(self) -> tuple[LiveRun, ItemState] | None:
        live, item = self._may_see(), self.chosen
        if live is not None and self.chosen_action is not None:
            self.say("this is something to be done: Enter says what became of it", WARNING)
        elif live is not None and item is None:
            self.say("this line of the day's sheet can only be filled in", WARNING)
        return (live, item) if live is not None and item is not None else None

    def action_tick(self) -> None:
        """Tick the item, or take its tick back."""
        if (chosen := self._on_item()) is None:
            return
        live, item = chosen
        name = item.item.id

        async def toggled() -> str:
            if live.state.items[name].ticked is None:
                await live.session.tick(name)
                return ""
            await live.session.untick(name)
            return "tick taken back"

        self.act(live, toggled, "ticking")

    def action_restore(self) -> None:
        """Take a skip or a waiver back."""
        if (chosen := self._on_item()) is None:
            return
        live, item = chosen

        async def restored() -> str:
            if item.skipped is None and item.waiver is None:
                raise ActionRefused("the item is neither skipped nor waived")
            await live.session.restore(item.item.id)
            return "taken back"

        self.act(live, restored, "taking back")

    def action_enter(self) -> None:
        """Enter a value, or fill in a line of the day's sheet."""
        if self.state.missed:
            self.action_note_run()
            return
        if (live := self._may_change()) is None:
            return
        field = field_of(self.state, self.chosen_key)
        item = self.chosen
        if field is not None:
            run_forms.fill(self, live, field)
        elif item is not None and item.item.entry is not None:
            run_forms.enter(self, live, item)
        elif item is not None:
            how = "ticked with Space" if item.item.manual else "measured"
            self.say(f"{item.item.title} takes no entry: it is {how}", WARNING)

    def action_note(self) -> None:
        """Write a note on the item; of a missed run, why it was."""
        if self.state.missed:
            self.action_note_run()
        elif (chosen := self._on_item()) is not None:
            run_forms.note(self, *chosen)

    def action_note_run(self) -> None:
        """Write a note on the run as a whole."""
        if (live := self._may_change()) is not None:
            run_forms.note(self, live, None)

    def action_skip(self) -> None:
        """Declare the item not applicable."""
        if (chosen := self._on_item()) is not None:
            run_forms.skip(self, *chosen)

    def action_waive(self) -> None:
        """Accept the item until a date."""
        if (chosen := self._on_item()) is not None:
            run_forms.waive(self, *chosen)

    def action_fill(self) -> None:
        """Fill in the next open line of the day's sheet."""
        if (live := self._may_see()) is None:
            return
        key = next_open_field(self.state)
        if key is None:
            self.say("this checklist has no lines to fill in", WARNING)
            return
        self.go_to(key)
        field = field_of(self.state, key)
        if field is not None:
            run_forms.fill(self, live, field)

    # --- what is to be done ------------------------------------------------------------------------

    def action_raise_action(self) -> None:
        """Note something that is to be done about the item, also where the run can only be read."""
        self._raise(self.chosen)

    def action_raise_action_run(self) -> None:
        """Note something that is to be done about the run as a whole."""
        self._raise(None)

    def _raise(self, item: ItemState | None) -> None:
        today = self.date
        action_forms.with_run(self, self.state.run, lambda live: action_forms.raise_action(self, live, item, today))

    def action_handle_action(self) -> None:
        """Say what became of the action item under the cursor."""
        action = self.chosen_action
        if action is None:
            self.say("no action item is under the cursor", WARNING)
        else:
            action_forms.choose(self, action, self.date)

    # --- after the sign-off ------------------------------------------------------------------------

    def with_session(self, then: Callable[[LiveRun], None]) -> None:
        """Open the run where this screen only reads it, and go on with `then`."""
        raise NotImplementedError

    def action_amend(self) -> None:
        """Correct the signed run, or add to it."""
        if self.state.signed is None:
            self.say("the run is not signed: change it as usual", WARNING)
        else:
            self.with_session(self._choose_amendment)

    def _choose_amendment(self, live: LiveRun) -> None:
        amend_forms.choose(self, live, self.chosen, field_of(live.state, self.chosen_key))

    def action_review(self) -> None:
        """Sign that the signed run was reviewed."""
        if self.state.signed is None:
            self.say("the run is not signed yet: there is nothing to review", WARNING)
        else:
            self.with_session(self._review)

    def _review(self, live: LiveRun) -> None:
        from opsconsole.screens.signing import Purpose
        from opsconsole.screens.signoff import SignOffScreen

        self.app.push_screen(SignOffScreen(live.state, live, Purpose(Meaning.REVIEWED)))

    # --- measuring ---------------------------------------------------------------------------------

    def action_measure(self) -> None:
        """Measure the item again."""
        if (chosen := self._on_item()) is None:
            return
        live, item = chosen
        if not item.item.measured:
            self.say(f"{item.item.title} is not measured: it waits for a person", WARNING)
        elif item.item.id in live.measuring:
            self.say("it is being measured already")
        else:
            self.console.measure(live, (item.item.id,))

    def action_measure_all(self) -> None:
        """Measure all items again."""
        if (live := self._may_see()) is None:
            return
        if live.is_measuring:
            self.say("it is being measured already")
        else:
            self.console.measure(live)
