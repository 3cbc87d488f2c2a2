"""What the commands share: global options, narration on stderr, output that is written whole or not at all."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from opsconsole.cli.streams import abandon_output
from opsconsole.model.errors import OpsconsoleError
from opsconsole.model.text import visible

if TYPE_CHECKING:
    import typer

    from opsconsole.model.events import Via
    from opsconsole.wiring.services import Services


_NOT_PLAIN = re.compile(r"[^\n\x20-\x7e]")


class Options(NamedTuple):
    """The options before the command."""

    config: Path | None = None
    state: Path | None = None
    ascii_only: bool = False


class UsageError(OpsconsoleError):
    """What was asked for makes no sense; the message says what would."""

    title = "wrong usage"


def narrate(text: str) -> None:
    """Say something about what goes on, on stderr; hostile text in it is harmless."""
    with suppress(OSError):  # nobody may be listening any more; what is narrated is never the result
        for line in text.splitlines() or [""]:
            sys.stderr.write(visible(line) + "\n")


def report(error: OpsconsoleError) -> None:
    """Show an error and its hint."""
    narrate(f"{error.title}: {error}")
    if error.hint:
        narrate(f"  {error.hint}")


def emit(text: str, output: Path | None) -> None:
    """Write a document to stdout, or to a file in one step; raises NotWritten."""
    if output is None:
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            from opsconsole.export.files import NotWritten

            abandon_output()
            raise NotWritten(f"the standard output cannot be written to: {error.strerror}") from error
        return
    from opsconsole.export.files import write_atomically

    write_atomically(output, text)


@contextmanager
def opened_services(options: Options, via: "Via") -> "Iterator[Services]":
    """Open what a command works with, and say first what must not be overlooked, also where it is to be quiet."""
    from opsconsole.wiring.services import services

    with services(options.config, options.state, via) as parts:
        for each in parts.alarms:
            narrate(f"ALARM: {each}")
        yield parts


def plain_json(text: str) -> str:
    """Return a JSON text in printable ASCII: nothing in it steers a terminal, and to programs it is the same."""
    return _NOT_PLAIN.sub(_spelled, text)


def _spelled(match: "re.Match[str]") -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def options_of(context: "typer.Context") -> Options:
    """Return the global options of the command that runs."""
    found = context.find_root().obj
    return found if isinstance(found, Options) else Options()
