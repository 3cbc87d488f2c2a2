"""asyncmy's connection with what it leaves open closed: passwords on the way, and answers without an end.

asyncmy sends a password as it is where a server asks for that, also over a connection that anybody can read, and
takes any key that a server shows to encrypt it with. It reads a row of any length. Loaded when a source is first
connected to, for it loads asyncmy.
"""

import importlib.metadata
from typing import TYPE_CHECKING, Any

from asyncmy.errors import OperationalError

if TYPE_CHECKING:

    class Connection:
        """What is used of asyncmy's, whose own stub leaves most of it out."""

        connected: bool
        _host: str
        _unix_socket: str | None
        _ssl_context: object
        _auth_plugin_name: str

        def __init__(self, **options: Any) -> None: ...
        async def connect(self) -> object: ...
        async def query(self, sql: str, unbuffered: bool = False) -> int: ...
        async def ensure_closed(self) -> None: ...
        async def _get_server_information(self) -> None: ...
        async def _process_auth(self, plugin_name: bytes, auth_packet: Any) -> Any: ...
        async def _fill_buffer(self, need: int) -> None: ...
        async def read_packet(self, *kind: type) -> Any: ...
        def cursor(self, kind: Any = None) -> Any: ...
        def thread_id(self) -> int: ...
        def close(self) -> None: ...

else:
    from asyncmy.connection import Connection

MAX_PACKET = 4 << 20
"""Bytes of one row, or any other message of the server, that are read (4 MiB)."""

MAX_MESSAGES = 20_000
"""Messages of an answer beside the rows that came together with others: one for each column, and some rows."""

MAX_HEARD = 16 << 20
"""Bytes of all of these (16 MiB)."""

CLEAR_REFUSED = 2061
"""Code of the client's own error that authentication failed before the server refused it: `CR_AUTH_PLUGIN_ERR`."""

_CLEAR = frozenset({b"mysql_clear_password", b"dialog", b"sha256_password", b"mysql_old_password"})
_NO_KEY = b"no key is asked for over a connection that is not encrypted"

GUARDED = ("_fill_buffer", "_get_server_information", "_process_auth", "query", "read_packet")
"""Methods of asyncmy's that are replaced here, and that nobody would call if a later version named them anew."""


def refuse_unguarded(driver: type) -> None:
    """Raise ImportError for a version of asyncmy that has not the methods by which it is guarded."""
    gone = [name for name in GUARDED if not callable(getattr(driver, name, None))]
    if gone:
        version = importlib.metadata.version("asyncmy")
        raise ImportError(f"version {version} of it has no {', '.join(gone)}, by which it is guarded")


refuse_unguarded(Connection)


class TooLargeError(Exception):
    """The server announced more than is read."""


class GuardedConnection(Connection):
    """A connection that keeps its password, and its memory, from the server at the other end."""

    def __init__(self, *, name: str, **options: Any) -> None:
        """Take asyncmy's options; `host` is an address, and `name` what its certificate has to be made out to."""
        super().__init__(server_public_key=_NO_KEY, **options)
        self._name = name
        self._messages = 0
        self._heard = 0

    @property
    def encrypted(self) -> bool:
        """Whether TLS protects it."""
        return self._ssl_context is not None

    @property
    def _private(self) -> bool:
        return self.encrypted or bool(self._unix_socket)

    async def _get_server_information(self) -> None:
        await super()._get_server_information()
        self._host = self._name
        if not self._private and self._auth_plugin_name.encode() in _CLEAR:
            raise _refused(self._auth_plugin_name)

    async def _process_auth(self, plugin_name: bytes, auth_packet: Any) -> Any:
        if not self._private and plugin_name in _CLEAR:
            raise _refused(plugin_name.decode("ascii", "replace"))
        return await super()._process_auth(plugin_name, auth_packet)

    async def _fill_buffer(self, need: int) -> None:
        if need > MAX_PACKET:
            self.close()
            raise TooLargeError(f"a row of {need:,} bytes; at most {MAX_PACKET:,} are read")
        await super()._fill_buffer(need)

    async def query(self, sql: str, unbuffered: bool = False) -> int:
        """Send a query, as asyncmy does; what is heard from now on is its answer."""
        self._messages = self._heard = 0
        return await super().query(sql, unbuffered)

    async def read_packet(self, *kind: type) -> Any:
        """Read one message, unless the server says more than any answer has."""
        packet = await super().read_packet(*kind)
        self._messages += 1
        self._heard += len(packet.get_all_data())
        if self._messages > MAX_MESSAGES or self._heard > MAX_HEARD:
            self.close()
            raise TooLargeError(f"an answer of more than {MAX_MESSAGES:,} messages or {MAX_HEARD:,} bytes")
        return packet


def _refused(plugin: str) -> OperationalError:
    return OperationalError(CLEAR_REFUSED, f"the server asks for the password itself ('{plugin}')")
