"""What servers and programs do to each kind of probe that asks them."""

import contextlib
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator

from support import hostile_servers as servers
from support.hostile_servers import Talk
from support.hostile_stage import JSON, ROOM, Arrange, Case, Stage


def _http(kind: str, item: str, *, grows: int = ROOM) -> Iterator[Case]:
    """What can be done to everything that speaks HTTP."""
    whole = f'url = "http://127.0.0.1:@PORT@"\n{item}'

    def case(does: str, talk: Talk, *reasons: str, timeout: float = 2.0, grows: int = grows) -> Case:
        return Case(kind, does, reasons, whole, lambda stage: {"PORT": str(stage.served(talk))}, timeout, grows)

    yield case("takes the connection and says nothing", servers.silent, "timeout", timeout=0.5)
    yield case("a slow drip, a byte at a time", servers.DRIPS, "timeout", timeout=0.5)
    yield case(
        "an answer that is complete to a person and never closed", servers.NEVER_CLOSED, "timeout", timeout=0.5
    )
    yield case("an endless answer", servers.ENDLESS, "too-large")
    yield case("an answer of 10 GB", servers.TEN_GIGABYTES, "too-large")
    yield case("an endless answer without a length", servers.NO_LENGTH, "too-large")
    yield case("headers without an end", servers.HEADERS, "bad-answer")
    yield case("an answer that ends half way", servers.HALF, "bad-answer")
    yield case("a gzip bomb (256 MB in 256 KB)", servers.bomb(1 << 28), "too-large")
    yield case("a page for people instead of JSON", servers.html("<html>Welcome</html>"), "bad-answer")
    yield case("JSON of another type", servers.body(b"[1, null, []]"), "bad-answer", "not judged")
    yield case("JSON nested a million deep", servers.body(b"[" * 1_000_000 + b"]" * 1_000_000), "bad-answer")
    objects = b'{"state": [' + b"{}," * 1_350_000 + b"{}]}"
    yield case(
        "JSON of a million empty objects",
        servers.body(objects),
        "bad-answer",
        "not judged",
        timeout=8.0,
        grows=JSON,
    )
    yield Case(
        kind,
        "a TLS handshake that never ends",
        ("source-down",),
        whole.replace("http:", "https:"),
        lambda stage: {"PORT": str(stage.served(servers.silent))},
        0.5,
    )


def _over_http() -> Iterator[Case]:
    status = 'json = { state = "$.state" }\nrequire = ["state == \'up\'"]'
    yield from _http("http", status)
    yield from _http("prometheus", 'query = "up"\nrequire = ["value == 1"]')
    yield from _http("loki", 'selector = \'{app="api"}\'\nrequire = ["count == 0"]')
    yield from _http("container", 'require = ["stopped == 0"]')

    def said(content: bytes) -> Arrange:
        return lambda stage: {"PORT": str(stage.served(servers.body(content)))}

    url = 'url = "http://127.0.0.1:@PORT@"\n'
    number = 'json = { state = "$.state" }\nrequire = ["state < 5"]'
    yield Case(
        "http",
        "a number of a billion digits (`1e999999999`)",
        ("not judged",),
        url + number,
        said(b'{"state": 1e999999999}'),
    )
    yield Case(
        "http",
        "a whole number of a million digits",
        ("bad-answer",),
        url + number,
        said(b'{"state": ' + b"9" * 1_000_000 + b"}"),
    )
    yield Case(
        "http",
        "escapes of a terminal in a value",
        ("red",),
        url + status,
        said(b'{"state": "up\\u001b[2J\\u001b[32mup"}'),
    )
    yield Case(
        "http", "a value of 4 MB", ("not judged",), url + status, said(b'{"state": "' + b"u" * 4_000_000 + b'"}')
    )
    yield Case(
        "http",
        "redirects in circles",
        ("bad-answer",),
        url + "follow_redirects = true\n" + status,
        lambda stage: {"PORT": str(stage.served(servers.redirects))},
    )
    rows = 'rows = "$[*]"\ncolumns = { v = "$" }\nrequire = ["every v < 5"]'
    yield Case(
        "http",
        "a table of a million rows",
        ("bad-answer",),
        url + rows,
        said(b"[" + b"1," * 2_000_000 + b"1]"),
        5.0,
        ROOM + 64,
    )
    path = 'json = { v = "$..[?@..x]" }\nrequire = ["every v < 5"]'
    deep = b'{"a":' * 150 + b"[" + b'{"b":1},' * 20_000 + b"{}]" + b"}" * 150
    yield Case(
        "http",
        "a document on which a JSON path takes for ever",
        ("bad-answer", "timeout"),
        url + path,
        said(deep),
        1.0,
        ROOM + 64,
    )
    result = b'[{"metric":{},"value":[1e999999999,"1e999999999"]}]'
    huge = b'{"status":"success","data":{"resultType":"vector","result":' + result + b"}}"
    yield Case(
        "prometheus",
        "numbers of a billion digits (`1e999999999`)",
        ("bad-answer",),
        url + 'query = "up"\nrequire = ["value < 1"]',
        said(huge),
    )


def _network() -> Iterator[Case]:
    def served(talk: Talk) -> Arrange:
        return lambda stage: {"PORT": str(stage.served(talk))}

    expect = (
        'host = "127.0.0.1"\nport = @PORT@\nwithin = "0.3 s"\nexpect = "/^SSH-2/"\nrequire = ["matched == true"]'
    )
    for does, talk in (
        ("says nothing", servers.silent),
        ("a banner without an end", servers.begins_flooding(b"x" * 65536)),
        ("a banner in a slow drip", servers.begins_dripping(b"S")),
        ("escapes of a terminal in its banner", servers.begins_with(b"\x1b[2J\x1b]0;SSH-2\x07\r\n")),
    ):
        yield Case("tcp", does, ("red",), expect, served(talk), 1.0)
    endless = expect.replace("/^SSH-2/", "/(a+)+$/")
    talk = servers.begins_with(b"a" * 60 + b"!")
    yield Case("tcp", "a banner on which the pattern takes for ever", ("timeout",), endless, served(talk), 1.0)

    def stray(_said: bytes) -> Iterator[bytes]:
        while True:
            yield os.urandom(400)

    def datagrams(answers: Callable[[bytes], Iterator[bytes]]) -> Arrange:
        return lambda stage: {"PORT": str(stage.stack.enter_context(servers.answering(answers)))}

    asked = 'name = "www.example"\nserver = "127.0.0.1"\nport = @PORT@\nrequire = ["count > 0"]'
    yield Case("dns", "says nothing", ("timeout",), asked, datagrams(lambda _: iter(())), 0.8)
    yield Case("dns", "a flood of foreign packets", ("bad-answer",), asked, datagrams(stray), 0.8)
    yield Case(
        "dns",
        "answers of another question",
        ("bad-answer",),
        asked,
        datagrams(lambda said: iter([said[:2] + b"\x81\x80" + bytes(8)])),
        0.8,
    )

    def over_tcp(talk: Talk) -> Arrange:
        def arrange(stage: Stage) -> dict[str, str]:
            port = stage.served(talk)
            udp = stage.stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            udp.bind(("127.0.0.1", port))
            stage.stack.enter_context(_truncating(udp))
            return {"PORT": str(port)}

        return arrange

    yield Case(
        "dns",
        "an answer over TCP that never ends",
        ("bad-answer",),
        asked,
        over_tcp(servers.floods(b"\xff\xff", bytes(65536))),
        0.8,
    )
    yield Case("dns", "an answer over TCP that never comes", ("timeout",), asked, over_tcp(servers.silent), 0.8)
    ntp = 'server = "127.0.0.1"\nport = @PORT@\nrequire = ["offset < 1 s"]'
    yield Case("clock", "says nothing", ("timeout",), ntp, datagrams(lambda _: iter(())), 0.8)
    yield Case("clock", "a flood of foreign packets", ("bad-answer",), ntp, datagrams(stray), 0.8)


@contextlib.contextmanager
def _truncating(listening: socket.socket) -> Iterator[None]:
    """Answer each question over UDP by the same with the flag that says: ask over TCP."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                said, who = listening.recvfrom(4096)
                if not said:
                    return
                listening.sendto(
                    said[:2] + b"\x83\x80" + said[4:6] + bytes(6) + said[12:].split(b"\0\0\x29")[0], who
                )

    port = listening.getsockname()[1]
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waking:
            waking.sendto(b"", ("127.0.0.1", port))
        thread.join(10)


def _databases() -> Iterator[Case]:
    def served(talk: Talk) -> Arrange:
        return lambda stage: {"PORT": str(stage.served(talk))}

    query = 'source = "pg"\nquery = "select 1 as it"\nrequire = ["it == 1"]'
    about = 'source = "pg"\nabout = "connections"\nrequire = ["share < 80%"]'
    row = servers.message(b"T", b"", 1 << 30)
    for kind, item in (("sql", query), ("postgres", about)):
        for does, talk, reasons, timeout in (
            ("takes the connection and says nothing", servers.silent, ("source-down",), 0.6),
            ("speaks another protocol", servers.says(servers.http() + b"{}"), ("source-down",), 2.0),
            (
                "lets nobody be ready, and reports settings for ever",
                servers.postgres_admits_and_floods,
                ("source-down",),
                2.0,
            ),
            ("a row of 1 GB", servers.postgres_floods(row, bytes(65536)), ("too-large",), 2.0),
            (
                "notices without an end",
                servers.postgres_floods(b"", servers.message(b"N", b"SNOTICE\0Mhello\0\0") * 2000),
                ("too-large",),
                2.0,
            ),
            (
                "an answer that ends half way",
                servers.postgres_says(servers.message(b"T", b"\0\1it\0", 40)),
                ("source-down",),
                2.0,
            ),
            ("messages that mean nothing", servers.postgres_says(bytes(range(256)) * 10), ("failed",), 2.0),
        ):
            yield Case(kind, does, reasons, item, served(talk), timeout)
    mysql = 'source = "my"\nquery = "select 1 as it"\nrequire = ["it == 1"]'
    for does, talk, reasons, timeout in (
        ("takes the connection and says nothing", servers.silent, ("source-down",), 0.6),
        ("speaks another protocol", servers.begins_with(servers.http() + b"{}"), ("bad-answer",), 0.6),
        ("messages of 16 MB", servers.mysql_announces, ("too-large",), 2.0),
        ("rows without an end", servers.mysql_floods(3, b"\x01v\x01v\xfb" + b""), ("too-large",), 2.0),
        (
            "rows of 1 KB without an end",
            servers.mysql_floods(1, b"\xfc\x00\x04" + b"v" * 1024),
            ("too-large",),
            2.0,
        ),
    ):
        yield Case("mysql", does, reasons, mysql, served(talk), timeout)


def _programs() -> Iterator[Case]:
    def plain(_stage: Stage) -> dict[str, str]:
        return {}

    def command(does: str, script: str, *reasons: str, timeout: float = 1.0, more: str = "") -> Case:
        item = f"argv = ['/bin/sh', '-c', '''{script}''']\n{more}"
        return Case("command", does, reasons, item, plain, timeout)

    is_up = "require = [\"stdout == 'up'\"]"
    yield command("output without an end", "yes up", "timeout", more=is_up)
    yield command(
        "a line of 100 MB", "head -c 104857600 /dev/zero | tr '\\0' u", "not judged", timeout=8.0, more=is_up
    )
    yield command(
        "ignores SIGTERM and forks",
        "trap '' TERM HUP INT; (trap '' TERM; while :; do sleep 1; done) & while :; do sleep 1; done",
        "timeout",
        more=is_up,
    )
    yield command(
        "children that make sessions of their own",
        "for i in 1 2 3; do setsid sh -c 'trap \"\" TERM; sleep 300' & done; wait",
        "timeout",
        more=is_up,
    )
    yield command("a daemon that keeps the output open", "setsid sleep 300 & echo down", "red", more=is_up)
    yield command(
        "a daemon that closed everything, of a program that waits",
        "setsid sleep 300 </dev/null >/dev/null 2>&1 & sleep 300",
        "timeout",
        more=is_up,
    )
    yield command("bytes that are no text, escapes, NUL", "printf 'up\\033[2J\\377\\000'", "red", more=is_up)
    number = 'json = { v = "$.v" }\nrequire = ["v < 5"]'
    yield command("JSON with `1e999999999`", 'echo "{\\"v\\": 1e999999999}"', "not judged", more=number)
    yield command(
        "JSON nested without an end",
        "head -c 1000000 /dev/zero | tr '\\0' '['",
        "bad-answer",
        timeout=6.0,
        more=number,
    )
    plugin = 'nagios = true\nlabels = ["v"]\nrequire = ["v < 5"]'
    yield command("a plugin with a value of `1e999999999`", "echo 'OK | v=1e999999999'", "not judged", more=plugin)
    yield command(
        "a plugin with 100,000 values",
        "echo 'OK |' $(seq -f 'x%.0f=1' 1 100000) v=1",
        "not judged",
        timeout=8.0,
        more=plugin,
    )
    pattern = """value = "/(a+)+$/"\nrequire = ["value < 5"] """
    yield command(
        "a text on which the pattern takes for ever",
        "echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
        "timeout",
        more=pattern,
    )

    running = 'pattern = "/(a+)+$/"\nwindow = "0.1 s"\nrequire = ["count == 1"]'
    yield Case(
        "process", "a command line on which the pattern takes for ever", ("timeout",), running, _running, 1.0
    )

    def pretended(name: str, script: str) -> Arrange:
        def arrange(stage: Stage) -> dict[str, str]:
            stage.program(name, script)
            return {"DIR": str(stage.directory)}

        return arrange

    stubborn = "trap '' TERM; setsid sleep 300 & sleep 300"
    flood = 'while :; do printf "%05000d" 1; done'
    for kind, program, item in (
        ("journal", "journalctl", 'directory = "@DIR@"\nunit = "app"\nrequire = ["count == 0"]'),
        ("unit", "systemctl", 'unit = "app"\nrequire = ["active == \'active\'"]'),
        ("timer", "systemctl", 'unit = "app"\nrequire = ["active == \'active\'"]'),
        ("clock", "chronyc", 'daemon = "chrony"\nrequire = ["offset < 1 s"]'),
    ):
        yield Case(
            kind,
            f"a `{program}` that ignores SIGTERM and forks",
            ("timeout",),
            item,
            pretended(program, stubborn),
            0.8,
        )
        yield Case(
            kind,
            f"a `{program}` whose output never ends",
            ("timeout",),
            item,
            pretended(program, flood),
            0.8,
            ROOM + 16,
        )
        yield Case(
            kind,
            f"a `{program}` that says what means nothing",
            ("bad-answer",),
            item,
            pretended(program, "printf '\\033[2J\\000{{{\\377=\\n'"),
            2.0,
        )


def _running(stage: Stage) -> dict[str, str]:
    """Have a program with an odd command line run."""
    program = subprocess.Popen(["a" * 60 + "!", "30"], executable="/bin/sleep")
    stage.stack.callback(program.wait)
    stage.stack.callback(program.kill)
    return {}


def of_servers_and_programs() -> Iterator[Case]:
    """What answers that come over a network, or from a program, may be."""
    yield from _over_http()
    yield from _network()
    yield from _databases()
    yield from _programs()
