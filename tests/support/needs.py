"""What a test does on a machine that lacks something it needs."""

import os
from typing import NoReturn

import pytest


def missing(why: str) -> NoReturn:
    """Skip the test that runs, and say loudly what was not tried; fail it in CI, where nothing may be missing."""
    if os.environ.get("CI"):
        pytest.fail(f"{why} CI must have it.")
    pytest.skip(why)


IMPOSSIBLE = "nothing to be tried here: "
"""How the reason begins of a test that is left out by the nature of a machine, also in CI."""


def needs_root(why: str) -> pytest.MarkDecorator:
    """Leave a test out for an ordinary user, in whose place it cannot be tried; CI is root, and tries it."""
    return pytest.mark.skipif(os.geteuid() != 0 and not os.environ.get("CI"), reason=f"NOT ROOT: {why}")
