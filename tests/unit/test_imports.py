"""What is loaded when: a morning in cron must not pay for the console, nor a host checklist for PostgreSQL."""

import subprocess
import sys
from pathlib import Path

import pytest

CHECKLIST = """
title = "Here"
due = { timezone = "UTC" }

[[section]]
title = "All"

[[section.item]]
id = "load"
title = "Load"
probe = "load"
require = ["load1 < 100000"]
"""

HEADLESS = """
import sys
from opsconsole.cli.main import main
code = main(["--config", sys.argv[1], "--state", sys.argv[2], "run", "here", "--headless", "--quiet"])
print(sorted({name.split(".")[0] for name in sys.modules} & {"textual", "psycopg", "psycopg_binary", "httpx"}))
print(sorted(name for name in sys.modules if name.startswith("opsconsole.screens")))
sys.exit(code)
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with one checklist that needs no driver."""
    (tmp_path / "checklists").mkdir(mode=0o755)
    (tmp_path / "checklists" / "here.toml").write_text(CHECKLIST)
    path = tmp_path / "config.toml"
    path.write_text('checklists = ["checklists"]\n')
    return path


def test_headless_loads_no_console_and_no_unused_driver(config: Path, tmp_path: Path) -> None:
    """A headless run imports neither Textual nor a driver that none of its items uses."""
    done = subprocess.run(
        [sys.executable, "-c", HEADLESS, str(config), str(tmp_path / "state")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-2:] == ["[]", "[]"]


@pytest.mark.parametrize("command", [["--help"], ["--version"], ["run", "--help"], ["demo", "--help"]])
def test_help_loads_next_to_nothing(command: list[str]) -> None:
    """Asking for help is answered at once."""
    script = (
        "import sys\nfrom opsconsole.cli.main import main\n"
        "code = main(sys.argv[1:])\n"
        "heavy = {'textual', 'psycopg', 'psutil', 'sqlite3', 'rich'}\n"
        "sys.exit(code or (heavy & set(sys.modules) and str(heavy & set(sys.modules))) or 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *command], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
