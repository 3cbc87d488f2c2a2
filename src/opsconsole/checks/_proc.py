"""Reading what the kernel tells in /proc and /sys."""

from pathlib import Path

from opsconsole.contracts.probe import ProbeError


def read(path: Path) -> str:
    """Return a small file of the kernel; raise ProbeError where it cannot be read."""
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise ProbeError("failed", f"{path} cannot be read: {error.strerror}", "is /proc mounted?") from error


def unreadable(path: Path) -> ProbeError:
    """Return the problem of a file whose content is not understood."""
    return ProbeError("bad-answer", f"{path} is not as proc(5) says", "please report it, with the file")
