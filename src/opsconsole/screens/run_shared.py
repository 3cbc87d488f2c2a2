"""A run that others work on too: who is here, what they did, and how a run that is only read is opened."""

from collections.abc import Callable

from textual.timer import Timer

from opsconsole.model.errors import OpsconsoleError
from opsconsole.screens.company import Company, name_of
from opsconsole.screens.live import LiveRun
from opsconsole.screens.run_deeds import RunDeeds

COMPANY_EVERY = 3.0
"""Seconds between two looks at who else is in the run."""
NEWS_FOR = 10.0
"""Seconds that the line of messages tells what others did; the rows go on showing it."""


class SharedRun(RunDeeds):
    """The part of the run's screen that shares the run."""

    def __init__(self, live: LiveRun | None) -> None:
        super().__init__()
        self._live = live
        self._unwatch: Callable[[], None] = lambda: None
        self._company: Company | None = None
        self._news: Timer | None = None
        self._told = 0

    @property
    def live(self) -> LiveRun | None:
        """The run that can be worked on; None where this screen only reads it."""
        return self._live

    @property
    def company(self) -> str:
        """Who else is in the run, in a few words."""
        return self._company.words() if self._company is not None else ""

    def show_now(self) -> None:
        """Show the run as it is."""
        raise NotImplementedError

    def show_soon(self) -> None:
        """Show what changed, soon."""
        raise NotImplementedError

    def show_head(self) -> None:
        """Show the top line."""
        raise NotImplementedError

    def begin_to_share(self) -> None:
        """Keep up with the run and with who is in it."""
        if self._live is not None:
            self._take_part(self._live)
        self.set_interval(COMPANY_EVERY, self._look_around)

    def share_no_longer(self) -> None:
        """Leave the run; it goes on."""
        self._unwatch()
        if self._company is not None:
            self._company.leave()

    def _take_part(self, live: LiveRun) -> None:
        """Keep up with a run that can be worked on, and show the others who is here."""
        self._live, self._told = live, live.news_told
        self._unwatch = live.watch(self.show_soon)
        store = self.console.services.engine.store
        self._company = Company(store, live.state.run, name_of(live.session.actor))
        self._look_around()

    def with_session(self, then: Callable[[LiveRun], None]) -> None:
        """Open the run where this screen only reads it, and go on with `then`."""
        if self._live is not None:
            then(self._live)
        else:
            self.console.start_first("opening the run", self._join, then)

    async def _join(self, then: Callable[[LiveRun], None]) -> None:
        try:
            live = await self.console.runs.open(self.state.definition, self.state.times.period)
        except OpsconsoleError as error:
            self.say_error(error)
            return
        if self.is_attached and self._live is None:
            self._take_part(live)
            self.show_now()
            then(live)

    def record_stirred(self) -> None:
        """Look who is here: somebody did something."""
        self._look_around()

    def _look_around(self) -> None:
        if self._company is not None:
            self.console.start("looking who is here", self._looked_around, self._company)

    async def _looked_around(self, company: Company) -> None:
        if await company.look() and self.is_attached:
            self.show_head()

    def tell_news(self) -> None:
        """Say for a while what others did."""
        live = self._live
        if live is None or live.news_told == self._told:
            return
        self._told = live.news_told
        self.message.tell(live.news)
        if self._news is not None:
            self._news.stop()
        self._news = self.set_timer(NEWS_FOR, lambda: self.message.tell(""))
