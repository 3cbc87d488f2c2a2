"""What signs, and what checks signatures, as the configuration says; loaded when used: no start waits for it."""

import datetime as dt
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from opsconsole.config.settings import Config
from opsconsole.contracts.anchor import Anchor
from opsconsole.contracts.signer import Authenticator, Candidate, Signer, Verifier
from opsconsole.contracts.store import Store
from opsconsole.engine.signing import Signing
from opsconsole.model.events import Meaning, Signature

if TYPE_CHECKING:
    from opsconsole.signing.verifying import OpenSshVerifier


def verifier_of(config: Config) -> Verifier:
    """Return what checks signatures; where there is no file of people yet, it knows nobody."""
    return _verifier(config)


def signer_of(config: Config) -> Signer:
    """Return what signs with the SSH keys at hand."""
    return _Signer(config)


def signing_of(
    config: Config,
    store: Store,
    anchors: Sequence[Anchor] = (),
    export_record: Callable[[str], Path] | None = None,
) -> Signing:
    """Return what this operator signs with; `anchors` and `export_record` as in `Signing`."""
    authenticator = _Authenticator(config) if config.signing.pam_service else None
    return Signing(store, signer_of(config), authenticator, anchors, export_record)


class _Signer:
    """A Signer (see contracts) with the SSH keys at hand."""

    def __init__(self, config: Config) -> None:
        self._config = config

    @cached_property
    def _own(self) -> Signer:
        from opsconsole.signing.ssh import SshSigner

        settings = self._config.signing
        return SshSigner(
            _verifier(self._config),
            key=Path(settings.key) if settings.key else None,
            timeout=float(settings.timeout),
        )

    def candidates(self, meaning: Meaning, at: dt.datetime) -> list[Candidate]:
        return self._own.candidates(meaning, at)

    def sign(self, payload: bytes, meaning: Meaning, candidate: Candidate) -> Signature:
        return self._own.sign(payload, meaning, candidate)

    def give_up(self) -> None:
        self._own.give_up()


class _Authenticator:
    """An Authenticator (see contracts) by PAM."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def authenticate(self, login: str, password: str) -> None:
        from opsconsole.signing.pam import PamAuthenticator

        settings = self._config.signing
        authenticator: Authenticator = PamAuthenticator(settings.pam_service, timeout=float(settings.timeout))
        authenticator.authenticate(login, password)


def _verifier(config: Config) -> "OpenSshVerifier":
    from opsconsole.signing.verifying import OpenSshVerifier

    return OpenSshVerifier(config.allowed_signers, config.revoked_keys)
