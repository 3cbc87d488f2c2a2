"""Taking a password again, by the real PAM and an account that the test makes."""

import importlib.util
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsconsole.contracts.signer import SigningError
from opsconsole.signing.pam import Asked, PamAuthenticator
from support.pam import Account, account, expire, hanging

pytestmark = pytest.mark.xdist_group("accounts")
"""The system lets one at a time make accounts."""


@pytest.fixture
def person() -> Iterator[Account]:
    """An account with a password."""
    with account() as found:
        yield found


def refused(authenticator: PamAuthenticator, login: str, password: str) -> SigningError:
    """Return why a password is not taken."""
    with pytest.raises(SigningError) as error:
        authenticator.authenticate(login, password)
    assert password == "" or password not in f"{error.value} {error.value.hint}"
    return error.value


def test_the_right_password_and_no_other(person: Account) -> None:
    """Whoever knows the password is let through, with any character in it; nobody else is."""
    pam = PamAuthenticator(person.service)
    pam.authenticate(person.login, person.password)
    assert refused(pam, person.login, person.password + "x").reason == "wrong-password"
    assert refused(pam, person.login, person.password[:-1]).reason == "wrong-password"
    assert refused(pam, "nobody-of-that-name", person.password).reason == "wrong-password"
    assert refused(pam, person.login, "").reason == "wrong-password"
    assert refused(pam, person.login, "\0").reason == "wrong-password"


def test_an_account_that_is_over(person: Account) -> None:
    """The right password of an account that has expired proves nothing any more."""
    expire(person.login)
    assert refused(PamAuthenticator(person.service), person.login, person.password).reason == "account-expired"


def test_a_module_that_hangs(person: Account, tmp_path: Path) -> None:
    """A directory server that does not answer delays the console no longer than was configured."""
    with hanging(tmp_path, f"{person.service}-hang") as service:
        begun = time.monotonic()
        assert refused(PamAuthenticator(service, timeout=1.0), person.login, person.password).reason == "timeout"
        assert time.monotonic() - begun < 10


def test_a_service_that_is_not_there(person: Account) -> None:
    """A misspelt service is not asked: PAM would judge by its service `other`, which takes any login."""
    for service in ("opsconsole-no-such-service", "../shadow", ""):
        assert refused(PamAuthenticator(service), person.login, person.password).reason == "no-pam"


def test_the_password_is_nowhere_to_be_seen(person: Account, tmp_path: Path) -> None:
    """While PAM is asked, no process shows the password in its arguments or environment."""
    with hanging(tmp_path, f"{person.service}-hang") as service:
        asking = threading.Thread(
            target=refused, args=(PamAuthenticator(service, timeout=2.0), person.login, person.password)
        )
        asking.start()
        seen = b""
        while asking.is_alive():
            for each in ("cmdline", "environ"):
                for path in Path("/proc").glob(f"[0-9]*/{each}"):
                    try:
                        seen += path.read_bytes()
                    except OSError:
                        continue
            asking.join(0.2)
    assert b"opsconsole.signing.pam_process" in seen
    assert person.password.encode() not in seen
    assert person.password not in repr(Asked(service, person.login, person.password))


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where python-pam is not installed, the message says what to install."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    error = refused(PamAuthenticator("login"), "anybody", "anything")
    assert (error.reason, error.hint) == ("no-pam", "pip install 'opsconsole[pam]'")


def test_it_is_loaded_only_when_a_password_is_asked_for() -> None:
    """Whoever never types a password needs neither libpam nor its Python side."""
    code = "import opsconsole.wiring.signing, sys; sys.exit('pam' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env=dict(os.environ), check=False, timeout=60)
    assert done.returncode == 0
