"""What is installed from a wheel works away from the source."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel."""
    target = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(target), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=110)
    (found,) = target.glob("*.whl")
    return found


def test_the_shipped_checklists_are_in_it(wheel: Path) -> None:
    """The checklists, their runbooks, the style sheets and the schemas travel with the program."""
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in (
        "opsconsole/_shipped/checklists/qbr-daily.toml",
        "opsconsole/_shipped/checklists/host-daily.toml",
        "opsconsole/_shipped/checklists/runbooks/collection-failure.md",
        "opsconsole/_shipped/config.toml",
        "opsconsole/demo/qbr/schema.sql",
        "opsconsole/screens/app.tcss",
        "opsconsole/py.typed",
    ):
        assert wanted in names
    assert not [name for name in names if name.startswith("tests")]


def test_it_runs_from_there(wheel: Path, tmp_path: Path) -> None:
    """Unpacked somewhere else, with nothing configured, it measures its host."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    script = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); from opsconsole.cli.main import main; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "site"), "--state", str(tmp_path / "state"), "list"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "host-daily" in done.stdout
