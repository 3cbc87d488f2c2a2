"""Where the configuration and the records are: named by option or environment, else in the XDG places.

Everything works without HOME, as in a system service or a bare cron; then the account's own entry is asked.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

APP = "opsconsole"
CONFIG_NAME = "config.toml"
CONFIG_VARIABLE = "OPSCONSOLE_CONFIG"
STATE_VARIABLE = "OPSCONSOLE_STATE"


class Found(msgspec.Struct, frozen=True):
    """A path and why it is this one."""

    path: Path
    origin: str


class NoHomeError(Exception):
    """There is no home directory to look in or to write to; the message says what to set."""


def current_directory() -> Path:
    """Return the current directory, the root where it was deleted."""
    try:
        return Path.cwd()
    except OSError:
        return Path("/")


def config_file(option: Path | None, environ: Mapping[str, str], directory: Path) -> Found | None:
    """Return the configuration to use, None where there is none; one that was named need not exist."""
    if option is not None:
        return Found(_placed(option, directory), "--config")
    if environ.get(CONFIG_VARIABLE):
        return Found(_placed(Path(environ[CONFIG_VARIABLE]), directory), CONFIG_VARIABLE)
    if _is_there(directory / CONFIG_NAME):
        return Found(directory / CONFIG_NAME, "the current directory")
    try:
        path = _xdg("config") / CONFIG_NAME
    except NoHomeError:
        return None
    return Found(path, "the user's configuration") if _is_there(path) else None


def config_home() -> Path | None:
    """Return this account's own directory of configuration, None where it has no home."""
    try:
        return _xdg("config")
    except NoHomeError:
        return None


def state_home() -> Path | None:
    """Return this account's own directory of state, whatever --state says; None where it has no home."""
    try:
        return _xdg("state")
    except NoHomeError:
        return None


def state_directory(option: Path | None, environ: Mapping[str, str], directory: Path) -> Found:
    """Return where records are kept; raise NoHomeError where there is no place for them."""
    if option is not None:
        return Found(_placed(option, directory), "--state")
    if environ.get(STATE_VARIABLE):
        return Found(_placed(Path(environ[STATE_VARIABLE]), directory), STATE_VARIABLE)
    try:
        return Found(_xdg("state"), "default")
    except NoHomeError as error:
        raise NoHomeError(f"{error}; name a directory for the records by --state or {STATE_VARIABLE}") from error


def _placed(path: Path, directory: Path) -> Path:
    """Return `path` as an absolute one; crontabs and units leave a `~` as it is."""
    try:
        return directory / path.expanduser()
    except RuntimeError:  # no home directory, so it is no more than a name
        return directory / path


def _is_there(path: Path) -> bool:
    """Return whether something has this name, be it unreadable or a broken link: it was meant to be used."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _xdg(kind: str) -> Path:
    """Return the program's own directory: XDG Base Directory Specification, as platformdirs has it."""
    import platformdirs

    try:
        path = platformdirs.user_config_path(APP) if kind == "config" else platformdirs.user_state_path(APP)
    except RuntimeError as error:  # what platformdirs raises without HOME and without an account
        raise NoHomeError("this account has no home directory") from error
    if not path.is_absolute():
        raise NoHomeError("this account has no home directory")
    return path
