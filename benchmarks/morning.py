"""The QBR morning, headless, against the nine commands of the procedure in a shell script."""

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.comparing import COMPARED, CommandFailedError, Contestant, compared, race
from benchmarks.tables import Table
from benchmarks.workshop import Installation, Workshop, psql_programs, shipped, without_systemd
from support.systemd import BoxError, SystemdBox

CHECKLIST = "qbr-daily"
SCRIPT = Path(__file__).with_name("peers") / "qbr-morning.sh"
LIMIT = 1.0
HEAD = ("host", "against", *COMPARED)
_MEASURED = frozenset({"PASS", "WARN", "FAIL", "PENDING"})


def measure(workshop: Workshop, rounds: int) -> Table:
    """Return the table: on this host without what needs systemd, and in a boxed systemd with everything."""
    everything = shipped(CHECKLIST)
    without = workshop.installation("without-systemd", {CHECKLIST: without_systemd(everything)})
    rows = _rows(without, "without systemd", rounds, journal=False)
    about = f"{rounds} rounds in turns after 2 to warm up; median (least-greatest) of the ratios within a round."
    installation = workshop.installation("with-systemd", {CHECKLIST: everything})
    try:
        with _boxed(workshop.directory) as prefix:
            rows += _rows(installation, "with systemd", rounds, journal=True, prefix=prefix)
    except BoxError as error:
        about += f" With systemd: not measured, because {error}."
    return Table("morning", HEAD, rows, about)


def _rows(
    installation: Installation, host: str, rounds: int, *, journal: bool, prefix: Sequence[str] = ()
) -> list[tuple[str, ...]]:
    before = installation.used_state(CHECKLIST, prefix)
    items = _prove(installation, before, prefix)
    ours = Contestant(
        "opsconsole",
        lambda: [*prefix, *installation.headless(installation.fresh_state(before), CHECKLIST)],
        installation.environment,
        accepted=frozenset({0, 1}),  # an item that failed was measured, too
    )
    peers = [
        Contestant(
            name,
            lambda: [*prefix, str(SCRIPT)],
            {**installation.environment, "PSQL": program, "JOURNAL": "yes" if journal else "no"},
        )
        for name, program in psql_programs().items()
    ]
    mine, *others = race([ours, *peers], rounds)
    commands = 9 if journal else 7
    return [
        (f"{host}: {items} items", f"{commands} commands, {peer.name}", *compared(mine, theirs, LIMIT))
        for peer, theirs in zip(peers, others, strict=True)
    ]


def _prove(installation: Installation, before: Path, prefix: Sequence[str]) -> int:
    """Return how many items are measured; raises CommandFailedError where one is not."""
    argv = installation.headless(installation.fresh_state(before), CHECKLIST, "--format", "json")
    done = subprocess.run([*prefix, *argv], env=dict(installation.environment), capture_output=True, check=False)
    try:
        document = json.loads(done.stdout)
    except json.JSONDecodeError as error:
        raise CommandFailedError(f"no JSON: {done.stderr.decode(errors='replace')}") from error
    outcomes = {item["id"]: item["outcome"] for item in document["items"]}
    bad = {item: outcome for item, outcome in outcomes.items() if outcome not in _MEASURED}
    if bad:
        raise CommandFailedError(f"not measured: {bad}")
    return len(outcomes)


class _Box(SystemdBox):
    """A boxed systemd that shows one more directory, in which records can be written to the real disk."""

    def __init__(self, state: Path, shown: Path) -> None:
        super().__init__(state, name="bench")
        self._shown = str(shown)

    def _command(self, root: Path) -> list[str]:
        return [*super()._command(root), self._shown]

    def start(self) -> None:
        super().start()
        done = self.run(["mount", "-o", "remount,bind,rw", self._shown])
        if done.returncode:
            raise CommandFailedError(done.stderr.decode(errors="replace"))

    @property
    def prefix(self) -> list[str]:
        """What comes before a command to have it run inside; it takes a millisecond or two, on either side."""
        return ["nsenter", "-t", str(self.pid), "-m", "-u", "-i", "-n", "-p", "-C", "--"]


@contextlib.contextmanager
def _boxed(shown: Path) -> Iterator[list[str]]:
    if os.geteuid() != 0:
        raise BoxError("only root can box one")
    with tempfile.TemporaryDirectory(prefix="opsconsole-bench-box-") as state:
        box = _Box(Path(state), shown)
        box.start()
        try:
            box.sync()
            yield box.prefix
        finally:
            box.stop()
