"""Sources in config.toml by their kinds: what each may say, and no secret that is written down."""

from pathlib import Path

import pytest

from opsconsole.wiring.configuration import loaded_config

SECRET = "hunter2-not-a-real-one"


def _problems(tmp_path: Path, source: str) -> list[str]:
    path = tmp_path / "config.toml"
    path.write_text(f"[sources.app]\n{source}\n")
    path.chmod(0o644)
    return [str(each) for each in loaded_config(path, tmp_path / "state").problems]


@pytest.mark.parametrize(
    "source",
    [
        'kind = "http"\nurl = "https://app.example"',
        'kind = "http"\nurl = "http://127.0.0.1:9090/prefix/"',
        'kind = "http"\nurl = "http://[::1]:9090"',
        'kind = "http"\nurl = "unix:/run/docker.sock"',
        'kind = "http"\nurl = "https://a"\nbearer = "env:TOKEN"\nca = "/etc/ca.pem"\nconnect_timeout = 2',
        'kind = "http"\nurl = "https://a"\nconnections = 64',
        'kind = "http"\nurl = "https://a"\nuser = "ops"\npassword = "file:/etc/opsconsole/password"',
        'kind = "http"\nurl = "https://a"\nheaders = { X-Org = "one", X-Api-Key = "file:%CREDENTIALS%/key" }',
        'kind = "mysql"\ndsn = "mysql://ops@db.example/app"\npassword = "env:DB_PASSWORD"',
        'kind = "postgresql"\ndsn = "host=db.example dbname=app"',
    ],
)
def test_sources_that_can_be_used(tmp_path: Path, source: str) -> None:
    """Each kind says where it is, and where its secrets are kept."""
    assert _problems(tmp_path, source) == []


@pytest.mark.parametrize(
    ("source", "key", "says"),
    [
        ('kind = "http"', "url", "is missing"),
        ('kind = "https"\nurl = "https://a"', "kind", "http"),
        ('kind = "http"\nurl = "app.example"', "url", "no URL"),
        ('kind = "http"\nurl = "ftp://app.example"', "url", "no URL"),
        ('kind = "http"\nurl = "http://"', "url", "no URL"),
        ('kind = "http"\nurl = "http://a:99999"', "url", "port"),
        ('kind = "http"\nurl = "http://a:0"', "url", "port"),
        ('kind = "http"\nurl = "http://a/b c"', "url", "character"),
        ('kind = "http"\nurl = "http://a\\tb"', "url", "character"),
        ('kind = "http"\nurl = "http://a#b"', "url", "never sent"),
        (f'kind = "http"\nurl = "http://ops:{SECRET}@a"', "url", "user or a password"),
        ('kind = "http"\nurl = "unix:run.sock"', "url", "absolute"),
        ('kind = "http"\nurl = "http://a"\ndsn = "x"', "dsn", "means nothing"),
        ('kind = "http"\nurl = "http://a"\nconnections = 0', "connections", "from 1 to 256"),
        ('kind = "http"\nurl = "http://a"\nconnections = "six"', "connections", "whole number"),
        ('kind = "postgresql"\ndsn = "dbname=a"\nconnections = 2', "connections", "means nothing"),
        (f'kind = "http"\nurl = "http://a"\nbearer = "{SECRET}"', "bearer", "not written down"),
        (f'kind = "http"\nurl = "http://a"\nuser = "u"\npassword = "{SECRET}"', "password", "not written down"),
        (
            f'kind = "http"\nurl = "http://a"\nheaders = {{ Authorization = "Bearer {SECRET}" }}',
            "headers",
            "written",
        ),
        ('kind = "http"\nurl = "http://a"\nheaders = { "X Y" = "z" }', "headers", "no name of a header"),
        ('kind = "http"\nurl = "http://a"\nheaders = { X = "a\\nb" }', "headers", "line feed"),
        ('kind = "http"\nurl = "http://a"\nheaders = { X = "ü" }', "headers", "letters"),
        ('kind = "http"\nurl = "http://a"\nuser = "u"', "user", "where the password is kept"),
        ('kind = "http"\nurl = "http://a"\nuser = "a:b"\npassword = "env:P"', "user", "colon"),
        ('kind = "http"\nurl = "http://a"\nuser = "u"\npassword = "env:P"\nbearer = "env:T"', "bearer", "one way"),
        ('kind = "http"\nurl = "http://a"\nca = "ca.pem"', "ca", "absolute"),
        ('kind = "postgresql"\ndsn = "host=a"\npassword = "env:P"', "password", "PGPASSFILE"),
        ('kind = "postgresql"\ndsn = "host=a"\nurl = "http://a"', "url", "means nothing"),
        ('kind = "mysql"\nurl = "mysql://a"', "dsn", "is missing"),
        (f'kind = "mysql"\ndsn = "mysql://u:{SECRET}@a/b"', "dsn", "password"),
    ],
)
def test_sources_that_cannot(tmp_path: Path, source: str, key: str, says: str) -> None:
    """Each mistake is told with its key; what may be a secret is not repeated."""
    problems = _problems(tmp_path, source)
    assert [each for each in problems if key in each and says in each], problems
    assert SECRET not in str(problems)
