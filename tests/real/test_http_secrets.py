"""A secret that a server echoes back reaches no record, whichever way it was given."""

from pathlib import Path

from support.certificates import issued, server_context
from support.command import installed
from support.httpd import Asked, Says, says_json, serving

TOKEN, PASSWORD = "tok-9f2c-not-a-real-one", "pw-11aa-not-a-real-one"

ITEMS = """
title = "Morning"
due = {{ timezone = "UTC" }}

[[section]]
title = "All"

[[section.item]]
id = "of-source"
title = "Asked with a token"
probe = "http"
source = "app"
path = "/"
text = true
json = {{ said = "$.headers.authorization" }}
require = ["status == 200", "text not contains 'nothing'"]

[[section.item]]
id = "of-item"
title = "Asked with a password"
probe = "http"
url = "{url}"
path = "/"
user = "ops"
password = "file:{kept}"
text = true
json = {{ said = "$.headers.authorization", again = "$.decoded" }}
require = ["status == 200"]

[[section.item]]
id = "elsewhere"
title = "Says the token of another"
probe = "http"
url = "{url}"
path = "/leak"
text = true
require = ["status == 200"]
"""


def test_what_a_server_echoes_is_masked(tmp_path: Path) -> None:
    """The record, what is printed, and the files of the store hold neither token nor password nor their forms."""
    kept = tmp_path / "password"
    kept.touch(mode=0o600)
    kept.write_text(PASSWORD + "\n")

    def echo(asked: Asked) -> Says:
        return says_json({"headers": dict(asked.headers), "decoded": PASSWORD}, x_echo=str(dict(asked.headers)))

    leak = says_json({"tokens": [TOKEN, PASSWORD]})
    with serving({"/": echo, "/leak": leak}) as server:
        source = f'[sources.app]\nkind = "http"\nurl = "{server.url}"\nbearer = "env:APP_KEY"\n'
        place = installed(tmp_path, source, morning=ITEMS.format(url=server.url, kept=kept))
        environment = place.environment(APP_KEY=TOKEN)
        done = place.run("run", "morning", "--headless", "--format", "json", env=environment)
        assert [each.headers.get("authorization") for each in server.asked if each.path == "/"].count(None) == 0
    assert done.code == 0, done
    written = [done.out, done.err]
    written += [path.read_bytes().decode("latin-1") for path in place.state.rglob("*") if path.is_file()]
    for secret in (TOKEN, PASSWORD, "b3BzOnB3LTExYWEtbm90LWEtcmVhbC1vbmU="):
        assert not [each for each in written if secret in each]
    assert "[redacted]" in done.out


def test_doctor_tells_of_sources(tmp_path: Path) -> None:
    """The doctor says whether and how fast each source answers, and whether secrets are there; never which."""
    with serving({"/": says_json({}), "/no": Says(b"", 401), "/ill": Says(b"", 503)}) as server:
        sources = "".join(
            f'[sources.{name}]\nkind = "http"\nurl = "{url}"\n{more}\n'
            for name, url, more in (
                ("good", f"{server.url}/", 'bearer = "env:APP_KEY"'),
                ("refuses", f"{server.url}/no", 'bearer = "env:APP_KEY"'),
                ("ill", f"{server.url}/ill", ""),
                ("secretless", f"{server.url}/", 'bearer = "env:NO_SUCH_KEY"'),
                ("gone", "http://127.0.0.1:1", ""),
            )
        )
        place = installed(tmp_path, sources)
        done = place.run("doctor", env=place.environment(APP_KEY=TOKEN))
    lines = {line for line in done.out.splitlines() if "source " in line}
    for name, says in (
        ("good", "answers with status 200 in"),
        ("good", "token could be read"),
        ("refuses", "it refuses the request"),
        ("ill", "answers with status 503"),
        ("secretless", "NO_SUCH_KEY"),
        ("gone", "Connection refused"),
    ):
        assert says in done.out, (name, done)
        assert [line for line in lines if f"source {name}" in line], done.out
    assert TOKEN not in done.out + done.err


def test_doctor_tells_of_certificates(tmp_path: Path) -> None:
    """The doctor says of each source over TLS how many days are left, and which certificate is not trusted."""
    authority = issued("Authority of the tests", authority=True)
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    good = server_context(tmp_path, issued("good", by=authority, days=60))
    soon = server_context(tmp_path, issued("soon", by=authority, days=5))
    over = server_context(tmp_path, issued("over", by=authority, days=-1))
    with serving(tls=good) as one, serving(tls=soon) as two, serving(tls=over) as three:
        sources = "".join(
            f'[sources.{name}]\nkind = "http"\nurl = "{server.url}"\nca = "{tmp_path}/ca.pem"\n'
            for name, server in (("good", one), ("soon", two), ("over", three))
        )
        done = installed(tmp_path, sources).run("doctor")
    for says in ("valid for 59 d more", "certificates end in 4 d", "has expired", "or one of its chain, is over"):
        assert says in done.out, done
