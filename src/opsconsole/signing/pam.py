"""Takes the password of a login again, by PAM: proof for this program, and for nobody else.

PAM runs in a process of its own: its modules may hang, and change what they like of the process that they are in.
The password goes to it through a pipe, never as an argument or in the environment.
"""

import contextlib
import importlib.util
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import msgspec

from opsconsole.contracts.signer import SigningError
from opsconsole.model.text import shortened, visible

_PACKAGE = "pam"
_SERVICE = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}\Z", re.IGNORECASE)
_SERVICES = (Path("/etc/pam.d"), Path("/usr/lib/pam.d"))
_AUTH_FAILED = frozenset({7, 10})
"""PAM_AUTH_ERR and PAM_USER_UNKNOWN: which of the two is nobody's business."""
_REASONS = {11: "too-many-tries", 12: "password-expired", 13: "account-expired", 27: "password-expired"}
"""PAM_MAXTRIES, PAM_NEW_AUTHTOK_REQD, PAM_ACCT_EXPIRED, PAM_AUTHTOK_EXPIRED."""
_GRACE = 5.0


class Asked(msgspec.Struct, frozen=True):
    """What the process is asked, on its standard input."""

    service: str
    login: str
    password: str

    def __repr__(self) -> str:
        return f"Asked({self.service!r}, {self.login!r}, ...)"


class Answered(msgspec.Struct, frozen=True):
    """What it answers: the code of PAM, 0 for success, and PAM's own words for it."""

    code: int
    words: str = ""


class PamAuthenticator:
    """Lets PAM judge passwords, by one of its services (a file of /etc/pam.d)."""

    def __init__(self, service: str, *, timeout: float = 60.0) -> None:
        """`timeout`: seconds for PAM to answer; it delays the answer to a wrong password itself."""
        self._service = service
        self._timeout = timeout

    def authenticate(self, login: str, password: str) -> None:
        """Return where PAM takes the password for `login`; raises SigningError otherwise."""
        if importlib.util.find_spec(_PACKAGE) is None:
            raise SigningError(
                "no-pam",
                "passwords cannot be asked for: python-pam is not installed",
                "pip install 'opsconsole[pam]'",
            )
        if not _is_service(self._service):
            raise SigningError(
                "no-pam",
                f"there is no PAM service '{visible(self._service)}'",
                f"make its file in {_SERVICES[0]}, or name another: signing.pam_service",
            )
        if not password or "\0" in password or "\0" in login:
            raise SigningError("wrong-password", "no password was given", "type the password of the login")
        answer = self._answer(Asked(self._service, login, password))
        if answer.code:
            raise _refused(answer, login, self._service)

    def _answer(self, asked: Asked) -> Answered:
        arguments = [sys.executable, "-P", "-m", "opsconsole.signing.pam_process"]
        try:
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            raise SigningError("no-pam", f"PAM cannot be asked: {error.strerror}") from error
        with process:
            try:
                said, _ = process.communicate(msgspec.json.encode(asked), self._timeout)
            except BaseException as error:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.communicate(timeout=_GRACE)
                if isinstance(error, subprocess.TimeoutExpired):
                    raise SigningError(
                        "timeout",
                        f"PAM had not answered after {self._timeout:g} s",
                        "is the directory server that it asks reachable?",
                    ) from None
                raise
        try:
            return msgspec.json.decode(said, type=Answered)
        except msgspec.MsgspecError:
            raise SigningError(
                "no-pam", "PAM ended without an answer", "see the system's log: journalctl -t python3; libpam0g?"
            ) from None


def _is_service(name: str) -> bool:
    """Return whether a service has a file: PAM judges by `other` where it has none, and nobody chose that."""
    return _SERVICE.match(name) is not None and any((place / name).is_file() for place in _SERVICES)


def _refused(answer: Answered, login: str, service: str) -> SigningError:
    words = visible(shortened(answer.words, 200))
    if answer.code in _AUTH_FAILED:
        return SigningError(
            "wrong-password",
            f"the system does not take this password for {login}",
            f"try again; an ordinary account can only prove its own password (PAM service '{service}')",
        )
    if answer.code in _REASONS:
        return SigningError(_REASONS[answer.code], f"the account {login}: {words}", "passwd mends an old password")
    return SigningError(
        "no-pam",
        f"PAM could not judge it: {words} ({answer.code})",
        f"see /etc/pam.d/{service}, and the system's log",
    )
