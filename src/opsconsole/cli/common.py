"""What the commands share: global options, narration on stderr, output that is written whole or not at all."""

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from opsconsole.cli.streams import abandon_output
from opsconsole.model.errors import OpsconsoleError
from opsconsole.model.text import visible

if TYPE_CHECKING:
    import typer


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


def options_of(context: "typer.Context") -> Options:
    """Return the global options of the command that runs."""
    found = context.find_root().obj
    return found if isinstance(found, Options) else Options()
