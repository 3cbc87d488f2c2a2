"""`python -m opsconsole` and the `opsconsole` command."""

import gc
import os
import sys
from typing import NoReturn

_COLLECT_AFTER = 100_000
"""New objects before the collector looks for cycles: a start makes about that many, and drops hardly any."""


_PRIVATE = 0o077
"""Whatever the umask was, what this program and its children make is for this account alone."""


def main() -> NoReturn:
    """Run the command line and end the process with its exit code."""
    gc.set_threshold(_COLLECT_AFTER)
    os.umask(_PRIVATE)
    from opsconsole.cli.ending import end_process, exit_code_of
    from opsconsole.cli.opening import asks_for_today, open_today

    arguments = sys.argv[1:]
    if asks_for_today(arguments):
        end_process(exit_code_of(lambda: open_today(arguments)))
    from opsconsole.cli.main import main as run

    end_process(run())


def _without_current_directory() -> None:
    """Keep `python -m opsconsole` from importing what somebody has put where it happens to be started."""
    here = os.path.realpath(os.curdir)
    own = os.path.realpath(f"{__file__}/../..")
    sys.path[:] = [each for each in sys.path if os.path.realpath(each or os.curdir) not in {here} - {own}]


if __name__ == "__main__":
    _without_current_directory()
    main()
