"""Which values count as secret before anything is measured: too few would leak, too many would mask plain words."""

from pathlib import Path

import pytest

from opsconsole.config.settings import Config, StorePlace
from opsconsole.contracts.probe import Source
from opsconsole.model.checklists import Checklist, Item, Section
from opsconsole.wiring.secrets import known_secrets


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a home directory without any of PostgreSQL's files, and an environment without its variables."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("PGPASSWORD", "PGPASSFILE", "PGSERVICEFILE", "PGSYSCONFDIR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def configured(home: Path, dsn: str) -> Config:
    """Return a configuration with one source."""
    source = Source(kind="postgresql", dsn=dsn)
    return Config(
        state=home, store=StorePlace(home / "x.db"), exports=home, allowed_signers=home, sources={"a": source}
    )


@pytest.mark.parametrize(
    ("line", "password"),
    [
        ("db:5432:*:ops:secret-one", "secret-one"),
        (r"db:5432:*:ops:se\:cr\\et", r"se:cr\et"),
        (r"d\:b:5432:*:ops:secret-two", "secret-two"),
        ("#db:5432:*:ops:commented", None),
        ("db:5432:ops", None),
        ("db:5432:*:ops:abc", None),
        ("db:5432:*:ops:secret:ignored", "secret"),
    ],
)
def test_password_files(home: Path, line: str, password: str | None) -> None:
    """Lines are read as libpq reads them: backslashes, comments, what is too short to be masked."""
    (home / ".pgpass").write_text(f"{line}\n")
    (home / "own").write_text(f"{line}\n".replace("secret", "other-secret"))
    assert known_secrets(None, environ={}) == (() if password is None else (password,))
    found = known_secrets(configured(home, f"host=db passfile={home / 'own'}"), environ={})
    assert set(found) >= ({password} if password is not None else set())
    assert any("other" in each for each in found) == ("secret" in (password or ""))


@pytest.mark.parametrize("kind", ["missing", "directory", "binary", "large"])
def test_files_that_are_none(home: Path, kind: str) -> None:
    """What cannot be read holds no password of libpq's either, and stops nothing."""
    path = home / ".pgpass"
    match kind:
        case "directory":
            path.mkdir()
        case "binary":
            path.write_bytes(bytes(range(256)) * 10)
        case "large":
            path.write_bytes(b"#\n" * 1_000_000)
        case _:
            pass
    assert known_secrets(None, environ={}) == ()


def test_service_files(home: Path) -> None:
    """Every password of every service is known, and so are those of the password file that a service names."""
    (home / "named").write_text("*:*:*:*:from-the-named-file\n")
    lines = ("[a]", "host=db", "password=from-service-a", "[b]", "# password=commented", "sslpassword = of-the-key")
    (home / ".pg_service.conf").write_text("\n".join((*lines, f"passfile={home}/named", "")))
    assert set(known_secrets(None, environ={})) == {"from-service-a", "of-the-key", "from-the-named-file"}


def test_variables(home: Path) -> None:
    """Names tell which variables are secret; where a secret lies is none, nor is a short common word."""
    environment = {
        "API_TOKEN": "a-long-token",
        "MYSQL_PWD": "mysql-password",
        "aws_secret_access_key": "aws-secret-key",
        "DISABLE_PASSWORD": "true",
        "TOKEN_FILE": "/run/secrets/token",
        "PASSWORD_STORE_DIR": "/home/ops/store",
        "PWD": "/home/ops/a-long-directory",
        "OLDPWD": "/home/ops/another-directory",
        "DATABASE_URL": "postgresql+psycopg://app:in%2Furl@db/app",
        "PLAIN_URL": "https://host:8443/path@x",
        "EDITOR": "a-long-editor",
        "PIN": "a-long-pin",
    }
    found = set(known_secrets(None, environ=environment))
    assert found == {"a-long-token", "mysql-password", "aws-secret-key", "in%2Furl", "in/url"}
    item = Item(id="it", title="It", probe="command", options={"argv": ["x"], "pass_env": ["PIN", "UNSET"]})
    checklist = Checklist(id="x", title="X", sections=(Section("All", (item,)),))
    assert set(known_secrets(None, [checklist], environment)) == found | {"a-long-pin"}
