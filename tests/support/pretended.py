"""Programs that answer as the real ones would on hosts that cannot be had in a test: old, broken, hanging ones."""

from pathlib import Path

import pytest

from opsconsole.checks import _process, _systemd


def pretend(monkeypatch: pytest.MonkeyPatch, directory: Path, **scripts: str) -> None:
    """Let probes find these shell scripts and no other program, on a host that looks booted with systemd."""
    booted = directory / "run-systemd-system"
    programs = directory / "programs"
    for each in (booted, programs):
        each.mkdir(exist_ok=True)
    for name, script in scripts.items():
        path = programs / name
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
    monkeypatch.setattr(_systemd, "BOOTED", booted)
    monkeypatch.setattr(_process, "_STANDARD_PATH", ())
    monkeypatch.setenv("PATH", str(programs))
