"""Says in the words of an operator what MySQL or MariaDB refused, and what to do about it.

Codes: MySQL "Error Message Reference", MariaDB "MariaDB Error Code Reference"; from 2000 on the client's own.
"""

import re
import ssl

from opsconsole.checks._mysqlwire import CLEAR_REFUSED, TooLargeError
from opsconsole.checks.mysqlsources import MysqlPlace
from opsconsole.contracts.probe import ProbeError

_REFUSED = frozenset({1045, 1129, 1130, 1251, 1698, 1820, 1862, 2059, 3118, 4151})
_NO_PERMISSION = frozenset({1044, 1142, 1143, 1227, 1345, 1370})
_MISSING = frozenset({1049, 1051, 1054, 1109, 1128, 1146, 1193, 1305, 1356})
_WRONG = frozenset({1055, 1056, 1060, 1064, 1065, 1066, 1111, 1140, 1210, 1221, 1222, 1241, 1242, 1267, 1295})
_FULL = frozenset({1040, 1203, 1226})
_LATE = frozenset({1969, 3024})
_DOWN = frozenset({1053, 1077, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 2003, 2006, 2013})
_READ_ONLY, _KILLED, _NO_TLS, _LOCKED = 1792, 1317, 3159, frozenset({1205, 1213})
_DOWN_HINT = "see whether it runs, and whether this host may reach it"


class Where:
    """Where a source is and who asks, for messages; never a password."""

    def __init__(self, source: str, place: MysqlPlace) -> None:
        self.source = source
        self.place = place
        self.text = place.socket or f"{place.host}, port {place.port}"

    def __str__(self) -> str:
        return f"{self.source} ({self.text})"


def code_of(error: BaseException) -> int:
    """Return the code of a server's or the driver's error, 0 where there is none."""
    first = error.args[0] if error.args else 0
    return first if isinstance(first, int) else 0


def problem_of(where: Where, error: BaseException) -> ProbeError:
    """Return the problem behind an error of the driver, the server or the network."""
    code = code_of(error)
    said = _said(error)
    if isinstance(error, TooLargeError):
        return ProbeError("too-large", f"{where} sends {said}", "select less of it")
    if isinstance(error.__cause__, ssl.SSLError) or isinstance(error, ssl.SSLError):
        return _tls(where, error)
    if code == CLEAR_REFUSED or _needs_key(error):
        return ProbeError(
            "refused",
            f"{where} asks for the password of {where.place.user} in a way that others could read on its way",
            "encrypt the connection: name the certificates the server is trusted by as `ca`, or use its socket",
        )
    if code in _REFUSED:
        return ProbeError(
            "refused", f"{where}: {said}", "see its account and host there, and `password` in config.toml"
        )
    if code == _NO_TLS:
        return ProbeError("refused", f"{where}: {said}", "name the certificates the server is trusted by as `ca`")
    if code in _FULL:
        return ProbeError(
            "too-many-connections",
            f"{where} has no connection left for {where.place.user}: {said}",
            "show processlist",
        )
    if code in _DOWN or isinstance(error, OSError):
        return ProbeError("source-down", f"{where}: {_plainly(error)}", _DOWN_HINT)
    return _query_problem(where, code, said, error)


def _query_problem(where: Where, code: int, said: str, error: BaseException) -> ProbeError:
    user = where.place.user
    if code in _NO_PERMISSION:
        return ProbeError("no-permission", f"{where}: {said}", f"`grant select on … to {user}`, and nothing more")
    if code in _MISSING:
        return ProbeError("not-found", said, "see whether the name and its database are right")
    if code in _WRONG:
        return ProbeError("bad-query", said)
    if code == _READ_ONLY:
        return ProbeError("read-only", f"the query would change the database: {said}", "a check only reads")
    if code == _KILLED:
        return ProbeError("failed", "somebody ended the query (KILL)", "measure again")
    if code in _LOCKED:
        return ProbeError("failed", f"the query waited for others: {said}", "measure again")
    if code:
        return ProbeError("failed", f"the query failed: {said}")
    return ProbeError("bad-answer", f"{where} does not answer as MySQL does: {type(error).__name__}: {said}")


def is_late(error: BaseException) -> bool:
    """Return whether a server ended a query because its time was up."""
    return code_of(error) in _LATE


def timed_out(seconds: float) -> ProbeError:
    """Return the problem of a query that takes too long."""
    return ProbeError(
        "timeout",
        f"the query had not ended after {seconds:.3g} s and was stopped",
        "run it by hand with `explain`; it may wait for a lock (`show processlist`), need an index, or need a "
        "longer `timeout`",
    )


def connect_timeout(where: Where, seconds: float) -> ProbeError:
    """Return the problem of a server that did not answer at all."""
    return ProbeError(
        "source-down",
        f"{where}: no answer within {seconds:.3g} s",
        "see whether the host is up, whether a firewall drops the packets, and whether the server is overloaded",
    )


def superuser(where: Where, account: str, why: str) -> ProbeError:
    """Return the refusal to watch with an account that may do anything."""
    return ProbeError(
        "superuser",
        f"{where}: {account} has {why}, and a check must not be able to change what it watches",
        f"connect as an account that may only read: `create user opsconsole@… identified by …; "
        f"grant select on {where.place.database or '…'}.* to opsconsole@…`",
    )


def _needs_key(error: BaseException) -> bool:
    """Return whether the driver gave up because it had to encrypt the password with a key of the server's."""
    return isinstance(error, RuntimeError | ValueError) and bool(
        re.search(r"cryptography|deserialize key|PEM|MalformedFraming", str(error))
    )


def _tls(where: Where, error: BaseException) -> ProbeError:
    cause = error if isinstance(error, ssl.SSLError) else error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return ProbeError(
            "tls",
            f"the certificate of {where} is refused: {cause.verify_message}",
            "see `ca` and the host name in the dsn",
        )
    why = getattr(cause, "reason", None) or cause
    return ProbeError("tls", f"no TLS connection to {where}: {why}", "is TLS switched on there?")


def _plainly(error: BaseException) -> str:
    system = error.__cause__ if isinstance(error.__cause__, OSError) else error
    if isinstance(system, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(system, FileNotFoundError):
        return "there is no such socket"
    return (isinstance(system, OSError) and system.strerror) or _said(error)


def _said(error: BaseException) -> str:
    text = str(error.args[1]) if len(error.args) > 1 else str(error)
    return " ".join(text.split())[:500] or type(error).__name__
