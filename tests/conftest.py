"""What the whole suite shares."""

import os
import signal
from collections.abc import Generator, Iterator

import pytest
from hypothesis import settings

from support.needs import IMPOSSIBLE

pytest_plugins = [
    "support.faults",
    "support.postgres",
    "support.mariadb",
    "support.pgpair",
    "support.prometheus",
    "support.systemd",
    "support.golive",
    "support.nginx",
]

# No deadline, because machines are shared and noisy; no directory of examples, because a checkout may be read-only;
# the same examples each time where nobody is there to look at a new one.
settings.register_profile("suite", deadline=None, database=None, derandomize="CI" in os.environ)
settings.load_profile("suite")


# A suite that was started in the background, or by nohup, has these ignored, and so would every program it starts.
for _number, _handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a test fail in CI that is left out there, unless it says that the machine's nature is against it."""
    report = yield
    left_out = report.skipped and not hasattr(report, "wasxfail")
    why = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if os.environ.get("CI") and left_out and IMPOSSIBLE not in why:
        report.outcome = "failed"
        report.longrepr = f"{why}: in CI no test is left out"
    return report


@pytest.fixture(scope="session", autouse=True)
def own_state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what an account remembers of records, here of those of tests, out of the tester's own home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state-home")))
        yield
