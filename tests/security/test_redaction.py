"""What is recognised as a secret, what is not, and that neither costs time: the last gate before a record."""

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from opsconsole.model.readings import MAX_TEXT, Evidence, Problem, Reading
from opsconsole.model.redaction import MASK, redacted, redacted_problem, redacted_reading
from support.canaries import canary

S = "Zx9-not-A-real.secret_Q7"
"""Stands for a secret that nobody knows beforehand; with every sign that a careless pattern would stop at."""

SHAPES = [
    f"postgresql://ops:{S}@db.example:5432/qbr",
    f"postgresql://ops:{S}@{S}@db.example/qbr",
    f"redis://:{S}@cache:6379/0",
    f"amqp+ssl://u:{'x' * 600}{S}@mq/",
    f"could not connect: host=db user=ops password={S} dbname=qbr",
    f"password={S},&;{S} next",
    f"password = '{S} with spaces'",
    f"password='it''s {S}'",
    f"password='it\\'s {S}'",
    f"sslpassword={S}",
    f"https://host/path?user=a&password={S}&x=1",
    f"https://host/path?access_token={S}#top",
    f"PGPASSWORD={S} psql",
    f"DB_PASSWORD={S}",
    f"MYSQL_PWD={S}",
    f"AWS_SECRET_ACCESS_KEY={S}",
    f"export API_TOKEN={S}",
    f'{{"user": "ops", "password": "{S}", "port": 1}}',
    f'{{"client_secret":"{S}"}}',
    f"{{'api_key': '{S}'}}",
    f"api-key: {S}",
    f"Password: {S}",
    f"token => {S}",
    f"mysqldump --password {S} qbr",
    f"curl --api-key '{S}' https://host",
    f"tool --db-password={S}",
    f"ALTER ROLE ops PASSWORD '{S}'",
    f"create user ops with encrypted password E'{S}\\'{S}';",
    f"CREATE USER ops IDENTIFIED BY '{S}'",
    f"Authorization: Bearer {S}",
    f'"authorization": "Token {S}"',
    f"curl -H 'Authorization: Basic b3BzOn{S}'",
    f"sent Bearer {S}",
    f"Set-Cookie: session={S}; Path=/; HttpOnly",
    f"-----BEGIN OPENSSH PRIVATE KEY-----\n{S}\n{S}\n-----END OPENSSH PRIVATE KEY-----",
    f"-----BEGIN PRIVATE KEY-----\n{S}\nand no end",
]


@pytest.mark.parametrize("text", SHAPES)
def test_a_secret_is_known_by_where_it_stands(text: str) -> None:
    """Passwords in URLs, settings, options, SQL and headers are masked without being known, to their last sign."""
    clean = redacted(f"before {text} after\nlast line")
    assert MASK in clean
    assert S not in clean
    assert not re.search(r"secret_Q7|not-A-real", clean)
    assert clean.startswith("before ")


@pytest.mark.parametrize(
    "token",
    [
        "AKIA" + "IOSFODNN7EXAMPLE",
        "ghp_" + "a1B2" * 9,
        "github_pat_" + "a1B2_" * 8,
        "glpat-" + "x1-_" * 5,
        "xoxb-" + "12345-abcde-XYZ",
        "sk_live_" + "a1B2" * 6,
        "AIza" + "b" * 35,
        "AGE-SECRET-KEY-1" + "QZ" * 20,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXX",
    ],
)
def test_tokens_of_services_are_known_by_their_form(token: str) -> None:
    """A token that was pasted into a sentence is masked there."""
    clean = redacted(f"I used {token} for it.")
    assert token.rpartition("/")[2] not in clean
    assert clean.startswith("I used ")
    assert clean.endswith(" for it.")


@pytest.mark.parametrize(
    "text",
    [
        "http://host:8080/path",
        "http://[::1]:9090/metrics and user@host",
        "password policy is fine",
        "password authentication failed for user ops",
        "the tokens are counted: 12",
        "12:30:00@x",
        "PWD=/srv/qbr OLDPWD=/root",
        "basic authentication is required",
        "Bearer of bad news",
        'curl -sS -H "authorization: Bearer $(cat /run/credentials/token)" https://app.example/',
        'curl -sS -H "authorization: Bearer $APP_TOKEN" -H "x-api-key: $APP_KEY" https://app.example/',
        'curl -sS -H "x-token: $(cat "$CREDENTIALS_DIRECTORY"/token)" -u "ops:$OPS_PASSWORD" https://app.example/',
        "Access denied for user 'ops'@'localhost' (using password: YES)",
        "it holds a password, which does not belong there: password = 'env:NAME' says where it is",
        'bearer = "env:APP_TOKEN", password = "file:/run/credentials/db", token: file:%CREDENTIALS%/token',
        "used 76.2 % of /srv, limit 80 %",
        "every status == 'success'",
        "password=''",
        "postgresql://ops@db.example:5432/qbr?sslmode=verify-full",
        "select count(*) from pg_stat_activity where usename = 'ops'",
        "2026-11-21T08:12:03Z host sshd[12]: Accepted publickey for ops from 10.0.0.1 port 22: ED25519 SHA256:abc",
        "git commit 3e32f51c0b7e9a11c6a2d7c7f0d4a1a6e2b9c8d7",
    ],
)
def test_what_only_looks_like_it_is_left_alone(text: str) -> None:
    """A reading that holds no secret is recorded, and judged, as it is."""
    assert redacted(text) == text


@pytest.mark.parametrize(
    "text",
    [
        'curl -H "authorization: Bearer $ecret-2026" https://app.example/',
        'curl -H "authorization: Bearer $ECRET2026!" https://app.example/',
        "curl -H 'x-token: $SWORDFISH' https://app.example/",
        "password: $SWORDFISH",
        "password=$(catastrophe)",
        "password='env:not a name'",
        "password = environment",
    ],
)
def test_what_only_looks_like_a_place_is_masked(text: str) -> None:
    """A secret may begin as a variable of the shell does: only what curl is told in double quotes is one."""
    assert MASK in redacted(text)


@given(st.text(min_size=4, max_size=30).filter(lambda each: each not in MASK and MASK not in each), st.text())
@example("a'b\"c\\d", "x")
@example("p@ss/w:rd %", "")
def test_a_known_secret_is_masked_in_every_form(secret: str, around: str) -> None:
    """Whatever its characters, and whether it stands in a URL, in JSON or alone."""
    import json
    import urllib.parse

    forms = (secret, urllib.parse.quote(secret, safe=""), json.dumps(secret)[1:-1])
    for form in forms:
        clean = redacted(f"{around}{form}{around}", [secret])
        assert form not in clean.replace(MASK, "") or form in around + around


def test_a_secret_that_holds_another_is_masked_whole() -> None:
    """The longer one goes first, so that nothing of it stays."""
    assert redacted("it is swordfish-2026", ["swordfish", "swordfish-2026"]) == f"it is {MASK}"


@pytest.mark.parametrize("length", [4000, 10_000, MAX_TEXT, 2 * MAX_TEXT])
@pytest.mark.parametrize("ending", ["", "..."])
def test_a_secret_that_was_cut_in_two_is_masked(length: int, ending: str) -> None:
    """Probes bound what they keep, and the record does: the first part of a secret must not be what is left."""
    secret = canary("cut")
    for kept in range(len(secret) // 3, len(secret), 5):
        text = "x" * (length - kept - len(ending)) + secret[:kept] + ending
        reading = redacted_reading(Reading(measures={"value": text}, evidence=(Evidence("log", text),)), [secret])
        assert secret[: len(secret) // 3] not in repr(reading)
    url = "postgresql://ops:" + secret
    text = ("y " * length)[: length - 30] + url[:-3]
    assert secret[:12] not in repr(redacted_reading(Reading(measures={"value": text})))


def test_many_long_secrets_leave_no_part_of_one() -> None:
    """Masking makes a text shorter: what then fits into the bound was cut before all the same."""
    secret = canary("long") * 40
    text = f"{secret} " * 200
    clean = redacted_reading(Reading(evidence=(Evidence("log", text),)), [secret])
    assert canary("long")[:16] not in clean.evidence[0].text


def test_every_text_of_a_reading_is_looked_at() -> None:
    """Names of columns, the label, titles, commands, causes and hints too: each field of the structs is tried."""
    secret = canary("field")
    told = Reading(
        measures={"value": secret},
        columns=(secret, "b"),
        rows=((secret, None),),
        label=secret,
        evidence=(Evidence(secret, secret),),
        command=secret,
    )
    assert secret not in repr(redacted_reading(told, [secret]))
    assert secret not in repr(redacted_problem(Problem("down", secret, secret), [secret]))
    names = {*Reading.__struct_fields__} - {"measures", "truncated", "past", "lower_bounds"}
    assert all(secret in repr(getattr(told, name)) for name in names), "a new field is not tried here"


@pytest.mark.parametrize(
    "bomb",
    [
        "password=" * 20_000,
        "a://b:" * 30_000,
        "a://b:" + "c" * 200_000,
        "password='" * 20_000,
        "password '" * 20_000,
        "-----BEGIN PRIVATE KEY-----" * 5_000,
        "eyJaaaaaaa." * 15_000,
        "--a-" * 50_000,
        "bearer " * 30_000,
        "bearer " + "a" * 200_000,
        "," * 200_000,
        "password=" + ",a" * 100_000,
        "password=" + "," + "a" * 200_000,
        "cookie:" * 30_000,
    ],
)
def test_no_text_makes_the_masking_slow(bomb: str) -> None:
    """A log made to cost time costs next to none."""
    began = time.process_time()
    redacted(bomb[: 2 * MAX_TEXT], [canary("bomb")])
    assert time.process_time() - began < 2
