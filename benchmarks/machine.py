"""What one has to know of the machine to read the figures."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path


def facts() -> str:
    """Return the machine, the versions and how busy it was, in a sentence."""
    cores = len(os.sched_getaffinity(0))
    busy = os.getloadavg()[0]
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {cores} cores of {_processor()}, Linux {platform.release().split('-')[0]}, "
        f"Python {platform.python_version()}, Textual {version('textual')}, psycopg {version('psycopg')}; "
        f"load when it ended {busy:.1f}."
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.machine()
