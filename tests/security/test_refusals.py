"""Places where no secret may be put: it is refused before anything is recorded, and no refusal repeats it."""

from pathlib import Path

import pytest

from support.canaries import canary, leaks, leaks_below
from support.command import MANUAL, Done, Installation, installed

SECRET = {"refused": canary("refused")}
S = SECRET["refused"]

CONFIGS = {
    "url": f'[sources.a]\nkind = "postgresql"\ndsn = "postgresql://ops:{S}@db.example/qbr"\n',
    "url without a user": f'[sources.a]\nkind = "postgresql"\ndsn = "postgresql://:{S}@db.example/qbr"\n',
    "keyword": f"[sources.a]\nkind = 'postgresql'\ndsn = 'host=db password={S}'\n",
    "capitals": f"[sources.a]\nkind = 'postgresql'\ndsn = 'host=db Password={S}'\n",
    "key of the certificate": f"[sources.a]\nkind = 'postgresql'\ndsn = 'host=db sslpassword={S}'\n",
    "query of a url": f'[sources.a]\nkind = "postgresql"\ndsn = "postgresql://db/qbr?password={S}"\n',
    "hidden in a url": f'[sources.a]\nkind = "postgresql"\ndsn = "postgresql://db/qbr?pass%77ord={S}"\n',
    "own key": f'[sources.a]\nkind = "postgresql"\ndsn = "host=db"\npassword = "{S}"\n',
    "wrong type": f'[sources.a]\nkind = "postgresql"\ndsn = ["postgresql://ops:{S}@db/qbr"]\n',
    "wrong place": f'[sources.a]\nkind = "postgresql://ops:{S}@db/qbr"\ndsn = "host=db"\n',
    "name": f'[sources."postgresql://ops:{S}@db/qbr"]\nkind = "postgresql"\ndsn = "host=db"\n',
    "unknown key": f'[sources.a]\nkind = "postgresql"\ndsn = "host=db"\n"token={S}" = 1\n',
    "store": f'store = "postgresql://ops:{S}@db/qbr"\n',
    "store with capitals": f'store = "PostgreSQL://ops:{S}@db/qbr"\n',
    "store of another kind": f'store = "mysql://ops:{S}@db/qbr"\n',
    "store by keywords": f'store = "host=db password={S}"\n',
}


def commands(place: Installation, **environment: str) -> list[Done]:
    """Return what every command says that reads the configuration and the checklists."""
    environment = place.environment(**environment)
    return [
        place.run(*words, env=environment)
        for words in (("config", "show"), ("lint",), ("list",), ("run", "morning", "--headless"), ("doctor",))
    ]


def assert_unsaid(place: Installation, done: list[Done], *, spared: tuple[Path, ...]) -> None:
    """Check that the secret is nowhere but where it was written."""
    for each in done:
        assert leaks((each.out + each.err).encode(), "the output", SECRET) == []
        assert "Traceback" not in each.err
    assert leaks_below(place.directory, SECRET, except_for=spared) == []


@pytest.mark.parametrize("where", CONFIGS)
def test_a_password_in_the_configuration(tmp_path: Path, where: str) -> None:
    """It is refused by every command, with the line and what to do instead, and never repeated."""
    place = installed(tmp_path, morning=MANUAL)
    place.config.write_text(f'checklists = ["checklists"]\n{CONFIGS[where]}')
    done = commands(place)
    assert_unsaid(place, done, spared=(place.config,))
    assert [each.code for each in done] == [2, 2, 2, 2, 2]
    assert "config.toml:" in done[1].out
    assert not place.state.exists()


@pytest.mark.parametrize("form", ["postgresql://ops:{}@db/qbr", "password={}", "PASSWORD = {}"])
def test_a_password_in_the_environment(tmp_path: Path, form: str) -> None:
    """A variable that names the store is refused likewise."""
    place = installed(tmp_path, morning=MANUAL)
    done = commands(place, OPSCONSOLE_STORE=form.format(S))
    assert_unsaid(place, done, spared=())
    assert [each.code for each in done] == [2, 2, 2, 2, 2]
    assert "OPSCONSOLE_STORE" in done[1].out


ITEM = """
title = "Morning"
due = { timezone = "UTC" }

[[section]]
title = "All"

[[section.item]]
id = "it"
title = "It"
@OPTIONS@
require = ["exit_code == 0"]
"""
_COMMAND = 'probe = "command"\nargv = [@]'
_SQL = 'probe = "sql"\nsource = "inventory"\nquery = "@"'

CHECKLISTS = {
    "assignment": _COMMAND.replace("@", f'"tool", "password={S}"'),
    "option": _COMMAND.replace("@", f'"tool", "--db-password={S}"'),
    "option and value": _COMMAND.replace("@", f'"tool", "--token", "{S}"'),
    "url": _COMMAND.replace("@", f'"curl", "https://ops:{S}@host/x"'),
    "header": _COMMAND.replace("@", f'"curl", "-H", "Authorization: Bearer {S}"'),
    "variable": f'probe = "command"\nargv = ["tool"]\nenv = {{ API_TOKEN = "{S}" }}',
    "url in a variable": f'probe = "command"\nargv = ["tool"]\nenv = {{ PLACE = "https://ops:{S}@host/" }}',
    "dblink": _SQL.replace("@", f"select * from dblink('host=db user=x password={S}', 'select 1') as t(a int)"),
    "url in a query": _SQL.replace("@", f"select * from dblink('postgresql://ops:{S}@db/x', '') as t(a int)"),
    "alter role": _SQL.replace("@", f"select 'alter role ops password ''{S}'''"),
    "help": f'probe = "command"\nargv = ["true"]\nhelp = "see https://ops:{S}@wiki/x"',
    "deep": f'probe = "command"\nargv = ["true"]\non_fail = {{ escalate = "https://ops:{S}@hook/x" }}',
}


@pytest.mark.parametrize("where", CHECKLISTS)
def test_a_secret_in_a_checklist(tmp_path: Path, where: str) -> None:
    """A definition is part of every record that is made with it, so it is refused whole, and never run."""
    text = ITEM.replace("@OPTIONS@", CHECKLISTS[where])
    place = installed(tmp_path, "[sources.inventory]\nkind = 'postgresql'\ndsn = 'host=/nowhere'\n", morning=text)
    done = [
        place.run(*words) for words in (("lint",), ("list",), ("show", "morning"), ("run", "morning", "--headless"))
    ]
    assert_unsaid(place, done, spared=(tmp_path / "checklists" / "morning.toml",))
    assert [done[0].code, done[3].code] == [2, 2]
    assert "secret" in done[0].out


@pytest.mark.parametrize(
    "options",
    [
        _COMMAND.replace("@", '"grep", "-c", "password", "/etc/hosts"'),
        _COMMAND.replace("@", '"tool", "--password-file", "/run/secrets/x"'),
        _COMMAND.replace("@", '"tool", "--token", "/run/secrets/x"'),
        _COMMAND.replace("@", '"curl", "https://host:8443/x"'),
        'probe = "command"\nargv = ["tool"]\npass_env = ["API_TOKEN"]\nhelp = "the password is in the vault"',
    ],
)
def test_what_is_no_secret_is_accepted(tmp_path: Path, options: str) -> None:
    """A checklist that says where a secret is kept is as it should be."""
    place = installed(tmp_path, morning=ITEM.replace("@OPTIONS@", options))
    done = place.run("lint")
    assert (done.code, done.out) == (0, "")
