"""What a test does on a machine that lacks something it needs."""

import os
from typing import NoReturn

import pytest


def missing(why: str) -> NoReturn:
    """Skip the test that runs, and say loudly what was not tried; fail it in CI, where nothing may be missing."""
    if os.environ.get("CI"):
        pytest.fail(f"{why} CI must have it.")
    pytest.skip(why)
