"""`people`: who may sign, with which keys and in which roles."""

import datetime as dt
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opsconsole.cli.common import UsageError, narrate, options_of, plain_json
from opsconsole.cli.tables import table
from opsconsole.model.people import Person, Role

if TYPE_CHECKING:
    from opsconsole.config.settings import Config
    from opsconsole.signing.keys import PublicKey
    from opsconsole.signing.verifying import OpenSshVerifier

people_commands = typer.Typer(
    help="Who may sign, with which keys and in which roles (see docs/signing.md).", no_args_is_help=True
)

PrincipalArgument = Annotated[
    str,
    typer.Argument(metavar="PRINCIPAL", help="Names the person for ever, such as an address.", show_default=False),
]
FingerprintOption = Annotated[
    str, typer.Option("--fingerprint", metavar="SHA256:...", help="Which key.", show_default=False)
]
_MOST_KEY_BYTES = 64 * 1024


@people_commands.command("add")
def add(
    context: typer.Context,
    principal: PrincipalArgument,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Printed name.", show_default=False)],
    roles: Annotated[
        list[Role], typer.Option("--role", help="What the person may sign; several times.", show_default=False)
    ],
    key: Annotated[
        Path | None, typer.Option("--key", metavar="FILE.pub", help="The public key.", show_default=False)
    ] = None,
    agent: Annotated[bool, typer.Option("--agent", help="Take the key from the SSH agent.")] = False,
    fingerprint: FingerprintOption = "",
    valid_from: Annotated[
        str, typer.Option("--valid-from", metavar="TIME", help="First instant that it may sign at.")
    ] = "now",
    valid_until: Annotated[
        str,
        typer.Option("--valid-until", metavar="TIME", help="End of its time; none without.", show_default=False),
    ] = "",
) -> None:
    """Add a person, or another key of one. A TIME is 2026-12-31 (UTC), 2026-12-31T18:00-06:00 or now."""
    if (key is None) != agent:
        raise UsageError("name the key: --key FILE.pub, or --agent")
    config = _config(context)
    from opsconsole.signing.editing import NewPerson, add_person

    new = NewPerson(
        principal=principal,
        name=name.strip(),
        roles=tuple(roles),
        key=_key_of_agent(fingerprint) if key is None else _key_of_file(key, fingerprint),
        valid_after=_instant(valid_from),
        valid_before=_instant(valid_until) if valid_until else None,
    )
    added = add_person(config.allowed_signers, new, _verifier(config).revocations())
    narrate(f"added to {config.allowed_signers}, line {added.line}")
    sys.stdout.write(table([_row(added, _stands(added, set(), dt.datetime.now(dt.UTC)))]))


@people_commands.command("list")
def list_people(
    context: typer.Context,
    everybody: Annotated[bool, typer.Option("--all", help="Those who may not sign any more, too.")] = False,
    form: Annotated[str, typer.Option("--format", metavar="[text|json]", help="The format.")] = "text",
) -> None:
    """List who may sign: an entry for each key."""
    if form not in {"text", "json"}:
        raise UsageError(f"'{form}' is no format; there are text and json")
    config = _config(context)
    verifier = _verifier(config)
    now = dt.datetime.now(dt.UTC)
    revoked = _revoked(verifier)
    rows = [(each, _stands(each, revoked, now)) for each in verifier.people()]
    shown = [(each, stands) for each, stands in rows if everybody or stands in {"valid", "not yet"}]
    if form == "json":
        _write_json(config.allowed_signers, shown)
    elif shown:
        head = ("PRINCIPAL", "NAME", "ROLES", "STANDS", "FROM", "UNTIL", "TYPE", "KEY")
        sys.stdout.write(table([head, *(_row(each, stands) for each, stands in shown)]))
    hidden = len(rows) - len(shown)
    if form == "text" and hidden:
        narrate(f"{hidden} more may not sign any more: --all")
    if not rows:
        narrate(f"{config.allowed_signers} names nobody; opsconsole people add --help")


@people_commands.command("retire")
def retire(
    context: typer.Context,
    principal: PrincipalArgument,
    fingerprint: FingerprintOption = "",
    at: Annotated[
        str, typer.Option("--at", metavar="TIME", help="When; what was signed before stays good.")
    ] = "now",
) -> None:
    """Let a person's keys sign no more, or one of them. Nobody is removed: earlier signatures stay good."""
    config = _config(context)
    from opsconsole.signing.editing import retire_person

    now = dt.datetime.now(dt.UTC)
    when = _instant(at)
    for each in retire_person(config.allowed_signers, principal, when, fingerprint):
        narrate(f"{each.name}: {each.fingerprint} may sign until {_shown(each.valid_before)}")
    if when < now - dt.timedelta(minutes=1):
        narrate("what these keys signed between then and now does not hold any more: opsconsole verify --all")


@people_commands.command("revoke")
def revoke(context: typer.Context, principal: PrincipalArgument, fingerprint: FingerprintOption) -> None:
    """Revoke a key that somebody else may have: nothing that it ever signed holds any more."""
    config = _config(context)
    if config.revoked_keys is None:
        raise UsageError(
            "no file of revoked keys is configured",
            'name one in config.toml: [people] revoked_keys = "revoked_keys"',
        )
    from opsconsole.signing.editing import revoke_key
    from opsconsole.signing.keys import key_of_text

    meant = [
        each
        for each in _verifier(config).people()
        if each.principal == principal and each.fingerprint == fingerprint
    ]
    if not meant:
        raise UsageError(f"{principal} has no key {fingerprint}", "opsconsole people list --all")
    revoke_key(config.revoked_keys, key_of_text(meant[0].public_key)[0], f"{principal}, revoked {_shown(_now())}")
    narrate(f"revoked in {config.revoked_keys}; see what it signed: opsconsole verify --all")


def _config(context: typer.Context) -> "Config":
    from opsconsole.wiring.configuration import configured

    options = options_of(context)
    return configured(options.config, options.state)[0]


def _verifier(config: "Config") -> "OpenSshVerifier":
    from opsconsole.signing.verifying import OpenSshVerifier

    return OpenSshVerifier(config.allowed_signers, config.revoked_keys)


def _key_of_file(path: Path, fingerprint: str) -> "PublicKey":
    from opsconsole.signing.keys import KeyTextError, key_of_text

    try:
        with path.expanduser().open("rb") as file:
            text = file.read(_MOST_KEY_BYTES).decode("utf-8", "replace")
        key, _ = key_of_text(text)
    except (OSError, RuntimeError) as error:
        raise UsageError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    except KeyTextError as error:
        raise UsageError(f"{path}: {error}") from error
    if fingerprint not in {"", key.fingerprint}:
        raise UsageError(f"{path} holds the key {key.fingerprint}, not {fingerprint}")
    return key


def _key_of_agent(fingerprint: str) -> "PublicKey":
    from opsconsole.signing.agents import find_agents
    from opsconsole.signing.refusals import agent_problem

    found = find_agents(os.environ)
    if not found.agents:
        problem = agent_problem(found.problems)
        raise UsageError(str(problem), problem.hint)
    keys = {each.key.fingerprint: each for agent in found.agents for each in agent.keys}
    listed = "\n".join(f"{name} {each.key.type} {each.comment}" for name, each in keys.items())
    if fingerprint and fingerprint not in keys:
        raise UsageError(f"the agent has no key {fingerprint}; it has\n{listed or 'none'}")
    if not fingerprint and len(keys) != 1:
        raise UsageError(f"say which key by --fingerprint; the agent has\n{listed or 'none'}")
    return keys[fingerprint or next(iter(keys))].key


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


def _instant(text: str) -> dt.datetime:
    if text == "now":
        return _now()
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"'{text}' is no time; write 2026-12-31, 2026-12-31T18:00Z or now") from error
    date_only = len(text) <= len("2026-12-31")
    if found.tzinfo is None and not date_only:
        raise UsageError(f"'{text}' is another instant in each zone; add one: {text}Z or {text}-06:00")
    return (found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)).replace(
        microsecond=0
    )


def _revoked(verifier: "OpenSshVerifier") -> set[str]:
    from opsconsole.signing.keys import key_of_text

    if verifier.revoked_keys is None:
        return set()
    keys = [key_of_text(each.public_key)[0] for each in verifier.people()]
    return {key.fingerprint for key in keys if verifier.is_revoked(key)}


def _stands(person: Person, revoked: set[str], now: dt.datetime) -> str:
    if person.fingerprint in revoked:
        return "revoked"
    if person.valid_before is not None and now >= person.valid_before:
        return "retired"
    return "valid" if person.is_valid(now) else "not yet"


def _shown(at: dt.datetime | None) -> str:
    return "-" if at is None else f"{at:%Y-%m-%d %H:%M:%SZ}"


def _row(person: Person, stands: str) -> tuple[str, ...]:
    roles = ",".join(person.roles) or "none"
    times = (_shown(person.valid_after), _shown(person.valid_before))
    return (person.principal, person.name, roles, stands, *times, person.key_type, person.fingerprint)


def _write_json(path: Path, shown: list[tuple[Person, str]]) -> None:
    import msgspec

    people = [{**msgspec.to_builtins(each), "stands": stands} for each, stands in shown]
    document = {"schema": "opsconsole.people.v1", "allowed_signers": str(path), "people": people}
    text = msgspec.json.format(msgspec.json.encode(document), indent=2).decode("utf-8")
    sys.stdout.write(f"{plain_json(text)}\n")
