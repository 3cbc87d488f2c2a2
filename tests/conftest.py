"""What the whole suite shares."""

import os

from hypothesis import settings

pytest_plugins = ["support.postgres", "support.systemd"]

# No deadline, because machines are shared and noisy; no directory of examples, because a checkout may be read-only;
# the same examples each time where nobody is there to look at a new one.
settings.register_profile("suite", deadline=None, database=None, derandomize="CI" in os.environ)
settings.load_profile("suite")
