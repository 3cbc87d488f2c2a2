"""`python -m opsconsole` and the `opsconsole` command."""

import gc
import sys
from typing import NoReturn

_COLLECT_AFTER = 100_000
"""New objects before the collector looks for cycles: a start makes about that many, and drops hardly any."""


def main() -> NoReturn:
    """Run the command line and end the process with its exit code."""
    gc.set_threshold(_COLLECT_AFTER)
    from opsconsole.cli.ending import end_process, exit_code_of
    from opsconsole.cli.opening import asks_for_today, open_today

    arguments = sys.argv[1:]
    if asks_for_today(arguments):
        end_process(exit_code_of(lambda: open_today(arguments)))
    from opsconsole.cli.main import main as run

    end_process(run())


if __name__ == "__main__":
    main()
