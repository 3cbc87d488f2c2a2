"""The standard streams, which may be closed, full, or of any encoding."""

import io
import os
import sys
from pathlib import Path


def make_streams_fit() -> None:
    """Make the standard streams such that nothing printed can end in a traceback.

    A closed one is opened on nothing: a file that is opened later would get its number, and be written into by
    whoever means the stream. What the encoding of the terminal lacks is spelled out.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - for good
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def abandon_output() -> None:
    """Send what is still to be printed nowhere, so that the end of the process does not stumble over it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
