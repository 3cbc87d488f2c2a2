"""The messages of every way in which signing can fail: what is the case, and the way on."""

import datetime as dt
import shlex
from collections.abc import Sequence
from pathlib import Path

from opsconsole.contracts.signer import Candidate, KeyPlace, SigningError
from opsconsole.model.people import Person, Role
from opsconsole.signing.agents import VARIABLE, AgentProblem
from opsconsole.signing.keygen import KeygenMissing, KeygenProblem, KeygenTimedOut, KeygenTooOld
from opsconsole.signing.keys import PublicKey

_INSTALL = "install it: apt install openssh-client, or dnf install openssh"
_UPGRADE = "OpenSSH 8.7 or later does it; `ssh -V` tells which one is here"
_MOST_SHOWN = 4


def add_command(role: Role, key: PublicKey | None = None) -> str:
    """Return the command by which whoever keeps the people adds one."""
    where = f"--agent --fingerprint {shlex.quote(key.fingerprint)}" if key is not None else "--key FILE.pub"
    return f"opsconsole people add PRINCIPAL --name 'Printed Name' --role {role} {where}"


def unusable_keygen(error: KeygenProblem) -> SigningError:
    """Return what to say where ssh-keygen cannot be used."""
    match error:
        case KeygenMissing():
            return SigningError("no-ssh-keygen", "there is no ssh-keygen on this host", _INSTALL)
        case KeygenTooOld():
            return SigningError("old-ssh-keygen", f"the ssh-keygen of this host is too old: {error}", _UPGRADE)
        case KeygenTimedOut():
            return SigningError("timeout", "ssh-keygen did not end in time, and was stopped", "try again")
        case _:
            return SigningError(
                "blind-ssh-keygen",
                f"ssh-keygen cannot read what it is given: {error}",
                "mount /proc, then try again",
            )


def no_people(path: Path, role: Role) -> SigningError:
    """Return what to say where nobody may sign with a key."""
    return SigningError(
        "no-people",
        f"nobody may sign with a key yet: {path} names no one",
        f"whoever keeps the people adds one: {add_command(role)}",
    )


def key_absent(keys: Sequence[PublicKey], role: Role, also: Sequence[str]) -> SigningError:
    """Return what to say where there are keys, and none of them is anybody's."""
    shown = ", ".join(f"{each.fingerprint} ({each.type})" for each in keys[:_MOST_SHOWN])
    more = f" and {len(keys) - _MOST_SHOWN} more" if len(keys) > _MOST_SHOWN else ""
    message = f"the keys at hand belong to nobody who may sign: {shown}{more}"
    return SigningError(
        "key-absent",
        "; ".join((message, *also)),
        f"bring the right key (ssh-add FILE), or let yours be added: {add_command(role, keys[0])}",
    )


def agent_empty(role: Role) -> SigningError:
    """Return what to say where the agent offers nothing: one that is locked cannot be told from an empty one."""
    return SigningError(
        "agent-empty",
        f"the SSH agent offers no key that could sign as {role}: it has none, or it is locked",
        "add a key: ssh-add FILE; or unlock it: ssh-add -X",
    )


def agent_problem(problems: Sequence[AgentProblem]) -> SigningError:
    """Return what to say where no agent answers, and there is no key file either."""
    first = problems[0]
    hints = {
        "no-agent": 'log in with yours (ssh -A), or start one: eval "$(ssh-agent)"; ssh-add',
        "agent-unreachable": "detach and attach tmux again from a login with an agent, or name the socket: "
        f"export {VARIABLE}=...; and start opsconsole again",
        "agent-hung": "its connection may be dead: log in again (ssh -A), or look at the agent: ssh-add -l",
    }
    return SigningError(first.reason, "; ".join(map(str, problems)), hints.get(first.reason, "see docs/signing.md"))


def not_eligible(reason: str, person: Person, role: Role, at: dt.datetime) -> SigningError:
    """Return what to say where a known key may not sign: `revoked`, `wrong-role`, `not-valid-yet` or `expired`."""
    who = f"{person.name} ({person.principal})"
    match reason:
        case "revoked":
            message = f"the key {person.fingerprint} of {who} was revoked"
            hint = f"make a new one (ssh-keygen -t ed25519), and have it added: {_again(person, role)}"
        case "wrong-role":
            roles = ", ".join(person.roles) or "none"
            message = f"{who} may not sign as {role} (roles: {roles})"
            hint = f"whoever keeps the people gives the role: {_again(person, role)}"
        case "not-valid-yet":
            message = f"the key of {who} is valid from {person.valid_after:%Y-%m-%d %H:%M:%SZ}; it is {_shown(at)}"
            hint = "wait until then, or look at the clock of this host: timedatectl"
        case _:
            message = f"the key of {who} expired at {person.valid_before:%Y-%m-%d %H:%M:%SZ}; it is {_shown(at)}"
            hint = f"make a new one (ssh-keygen -t ed25519), and have it added: {_again(person, role)}"
    return SigningError(reason, message, hint)


def _shown(at: dt.datetime) -> str:
    return f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%SZ}"


def _again(person: Person, role: Role) -> str:
    roles = " ".join(f"--role {each}" for each in dict.fromkeys((*person.roles, role)))
    name = shlex.quote(person.name)
    return f"opsconsole people add {person.principal} --name {name} {roles} --key FILE.pub"


def not_signed(reason: str, candidate: Candidate, why: str) -> SigningError:
    """Return what to say after ssh-keygen was asked: `timeout`, `key-gone`, `declined` or `no-device`."""
    person = candidate.person
    key = f"the key {person.fingerprint} of {person.name}"
    agent = candidate.place is KeyPlace.AGENT
    match reason:
        case "timeout":
            return _too_late(candidate, why)
        case "key-gone":
            return SigningError(
                "key-gone",
                f"{key} is not in the agent any more: its time was over (ssh-add -t), it was removed, or the agent "
                "was locked",
                "add it again: ssh-add FILE; or unlock the agent: ssh-add -X",
            )
        case "no-device":
            return SigningError(
                "no-device",
                f"the security key with {key} is not plugged in here",
                "plug it in; where you logged in over SSH, keep it in the agent there: ssh-add FILE, then ssh -A",
            )
        case _ if agent:
            return SigningError(
                "declined",
                f"the agent refused to sign with {key}: its question was declined (ssh-add -c), the touch or PIN "
                f"was, or the key is constrained to destinations (ssh-add -h) and may sign logins only ({why})",
                "sign again and confirm; a constrained key is added anew without -h: ssh-add -d FILE; ssh-add FILE",
            )
        case _:
            return SigningError(
                "declined", f"ssh-keygen did not sign with {key}: {why}", "sign again; see docs/signing.md"
            )


def _too_late(candidate: Candidate, why: str) -> SigningError:
    if candidate.person.hardware:
        return SigningError(
            "no-touch", f"the security key was not touched within {why}", "sign again, and touch it when it blinks"
        )
    if candidate.place is KeyPlace.AGENT:
        return SigningError(
            "agent-hung",
            f"the agent did not sign within {why}: it waits for a confirmation, or its connection is dead",
            "look for its question on your own screen; else log in again (ssh -A)",
        )
    return SigningError("timeout", f"ssh-keygen did not sign within {why}", "is the disk of the key there?")
