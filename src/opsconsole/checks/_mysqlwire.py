"""asyncmy's connection with what it leaves open closed: passwords on the way, and answers without an end.

asyncmy sends a password as it is where a server asks for that, also over a connection that anybody can read, and
takes any key that a server shows to encrypt it with. It reads a row of any length. Loaded when a source is first
connected to, for it loads asyncmy.
"""

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
        async def query(self, sql: str) -> int: ...
        async def ensure_closed(self) -> None: ...
        async def _get_server_information(self) -> None: ...
        async def _process_auth(self, plugin_name: bytes, auth_packet: Any) -> Any: ...
        async def _fill_buffer(self, need: int) -> None: ...
        def cursor(self, kind: Any = None) -> Any: ...
        def thread_id(self) -> int: ...
        def close(self) -> None: ...

else:
    from asyncmy.connection import Connection

MAX_PACKET = 4 << 20
"""Bytes of one row, or any other message of the server, that are read (4 MiB)."""

CLEAR_REFUSED = 2061
"""Code of the client's own error that authentication failed before the server refused it: `CR_AUTH_PLUGIN_ERR`."""

_CLEAR = frozenset({b"mysql_clear_password", b"dialog", b"sha256_password", b"mysql_old_password"})
_NO_KEY = b"no key is asked for over a connection that is not encrypted"


class TooLargeError(Exception):
    """The server announced more than is read."""


class GuardedConnection(Connection):
    """A connection that keeps its password, and its memory, from the server at the other end."""

    def __init__(self, *, name: str, **options: Any) -> None:
        """Take asyncmy's options; `host` is an address, and `name` what its certificate has to be made out to."""
        super().__init__(server_public_key=_NO_KEY, **options)
        self._name = name

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
            raise TooLargeError(f"{need:,} bytes")
        await super()._fill_buffer(need)


def _refused(plugin: str) -> OperationalError:
    return OperationalError(CLEAR_REFUSED, f"the server asks for the password itself ('{plugin}')")
