"""How the program ends, whatever it was asked to do: with an exit code, and with words instead of a traceback."""

import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from opsconsole.cli.common import narrate, report
from opsconsole.cli.exits import Exit
from opsconsole.cli.streams import abandon_output, make_streams_fit
from opsconsole.model.errors import OpsconsoleError


def exit_code_of(command: Callable[[], int]) -> int:
    """Run a command; return its exit code. No error that a person can cause shows a traceback."""
    make_streams_fit()
    try:
        code = command()
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        abandon_output()
        return 128 + signal.SIGPIPE
    except OpsconsoleError as error:
        report(error)
        return _code_of(error)
    except OSError as error:
        narrate(f"{error.filename or 'the standard output'}: {error.strerror or error}")
        abandon_output()
        return Exit.NOT_SAVED
    except Exception as error:  # noqa: BLE001 - the end of the process: its own report would show secrets and escapes
        _report_unexpected(error)
        return Exit.FAILED
    return code


def _report_unexpected(error: Exception) -> None:
    """Show a fault of the program with its traceback, harmless and without what is known to be secret."""
    from opsconsole.model.redaction import redacted
    from opsconsole.widgets.crash import report_text
    from opsconsole.wiring.secrets import known_secrets

    secrets = known_secrets(None)
    narrate("opsconsole ended after an unexpected error; please report it:")
    narrate(report_text(error, lambda text: redacted(text, secrets)))


def end_process(code: int) -> NoReturn:
    """End without taking the interpreter apart: all is closed by now, and it would be a tenth of a headless run."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            code = code or Exit.NOT_SAVED
    os._exit(code)


def _code_of(error: OpsconsoleError) -> Exit:
    from opsconsole.contracts.store import StoreError
    from opsconsole.engine.recorder import NotSaved
    from opsconsole.export.files import NotWritten

    return Exit.NOT_SAVED if isinstance(error, StoreError | NotSaved | NotWritten) else Exit.USAGE
