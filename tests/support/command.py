"""The installed command, run as an operator or cron runs it."""

import asyncio
import datetime as dt
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from opsconsole.engine.engine import opened
from opsconsole.model.events import Via
from opsconsole.wiring.services import services

OPSCONSOLE = (sys.executable, "-m", "opsconsole")
"""The start of the command line."""

MANUAL = """
title = "Morning"
due = { timezone = "UTC" }

[[section]]
title = "All"

[[section.item]]
id = "look"
title = "Look at the dashboard"
manual = true

[[section.item]]
id = "load"
title = "Load"
probe = "load"
require = ["load1 < 100000"]
"""


@dataclass(frozen=True)
class Done:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Installation:
    """A configuration with checklists and a state directory of their own."""

    directory: Path

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.directory / "config.toml"

    @property
    def state(self) -> Path:
        """Where the records are."""
        return self.directory / "state"

    def write(self, name: str, text: str) -> Path:
        """Write a checklist."""
        path = self.directory / "checklists" / f"{name}.toml"
        path.write_text(text)
        path.chmod(0o644)
        return path

    def arguments(self, *words: str) -> list[str]:
        """Return the whole command line."""
        return [*OPSCONSOLE, "--config", str(self.config), "--state", str(self.state), *words]

    def environment(self, **more: str) -> dict[str, str]:
        """Return a plain environment without the tester's own settings."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "XDG_STATE_HOME") if name in os.environ}
        return {**kept, "LANG": "C.UTF-8", **more}

    def then(self, name: str, day: dt.date | str, *, measured: bool = True) -> None:
        """Open the run of a past day, and measure it, as the program did on that day at noon."""
        moment = dt.datetime.combine(dt.date.fromisoformat(str(day)), dt.time(12), dt.UTC)

        async def work() -> None:
            async with opened(parts.engine, parts.checklist(name)) as session:
                if measured:
                    await parts.engine.measure(session)

        with services(self.config, self.state, Via.HEADLESS) as parts:
            parts.engine.clock = lambda: moment
            asyncio.run(work())

    def run(self, *words: str, env: Mapping[str, str] | None = None, through: Sequence[str] = ()) -> Done:
        """Run a command to its end; `through` is put ahead of it, such as what takes rights away."""
        done = subprocess.run(
            [*through, *self.arguments(*words)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=self.directory,
            env=dict(env) if env is not None else self.environment(),
        )
        return Done(done.returncode, done.stdout, done.stderr)


def installed(directory: Path, config: str = "", **checklists: str) -> Installation:
    """Make an installation; `checklists` are TOML texts by name, with `_` for `-`."""
    place = Installation(directory)
    directory.chmod(0o755)
    (directory / "checklists").mkdir(mode=0o755)
    place.config.write_text('checklists = ["checklists"]\n' + config)
    place.config.chmod(0o644)
    for name, text in checklists.items():
        place.write(name.replace("_", "-"), text)
    return place
