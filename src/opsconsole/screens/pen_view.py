"""With what something is signed, or was, in words; and what stands in the way of it."""

from collections.abc import Iterator

from opsconsole.contracts.signer import Candidate, KeyPlace
from opsconsole.model.events import Signature, Statement
from opsconsole.model.people import role_for
from opsconsole.model.text import visible
from opsconsole.model.tiers import Tier
from opsconsole.screens.facts import fact
from opsconsole.screens.palette import Entry
from opsconsole.screens.pen import Pen, Way
from opsconsole.widgets.evidence import Paragraph


def way_paragraphs(way: Way | None, wanted: Tier, statement: Statement) -> Iterator[Paragraph]:
    """Yield with what will be signed, how strongly that binds, and what the checklist asks for."""
    if way is None:
        yield fact("key", "looking for keys ...", "dim")
        return
    if way.candidate is not None:
        yield from _key(way.candidate)
        role = role_for(statement.meaning)
        yield fact("signed as", f"{role}, namespace {role.namespace}")
    yield fact("proof", _promise(way.tier, statement), "" if way.tier.keyed else "$warning")
    better = "" if wanted is Tier.HARDWARE else " or better"
    if way.tier.satisfies(wanted):
        yield fact("asked for", f"{wanted}{better}")
    else:
        yield fact("asked for", f"{wanted}{better}: {way.tier} is not enough", "bold $error")


def signature_paragraphs(signature: Signature, statement: Statement) -> Iterator[Paragraph]:
    """Yield with what something was signed."""
    if signature.tier.keyed:
        yield fact("proof", f"{signature.tier} by {signature.principal}")
        yield fact("key", signature.fingerprint)
    else:
        yield fact("proof", _unproven(signature.tier, statement), "$warning")


def _key(candidate: Candidate) -> Iterator[Paragraph]:
    person = candidate.person
    yield fact("key", f"{_type(person.key_type)} {person.fingerprint}")
    yield fact("whose", f"{person.name}, principal {person.principal}")
    yield fact("where", place_of(candidate))
    if person.valid_before is not None:
        yield fact("valid", f"until {person.valid_before:%Y-%m-%d %H:%M:%SZ}")


def _type(key_type: str) -> str:
    """Return `ED25519` for `ssh-ed25519`, as ssh-keygen names types; `ED25519-SK` for a security key's."""
    name = key_type.removeprefix("sk-").removeprefix("ssh-").partition("@")[0]
    name = "ECDSA" if name.startswith("ecdsa") else name
    return f"{name.upper()}{'-SK' if key_type.startswith('sk-') else ''}"


def place_of(candidate: Candidate) -> str:
    """Return where a private key is, with the words that its owner wrote beside it."""
    where = "in the agent" if candidate.place is KeyPlace.AGENT else f"in the file {candidate.path}"
    named = f", '{candidate.comment}'" if candidate.comment else ""
    hardware = "; touch it when it blinks" if candidate.person.hardware else ""
    return f"{where}{named}{hardware}"


def _promise(tier: Tier, statement: Statement) -> str:
    match tier:
        case Tier.HARDWARE:
            return "hardware-signed: anybody can check that this key was there and was touched"
        case Tier.SIGNED:
            return "signed: anybody can check it with ssh-keygen"
        case _:
            return _unproven(tier, statement)


def _unproven(tier: Tier, statement: Statement) -> str:
    if tier is Tier.REAUTHENTICATED:
        return f"reauthenticated as the login {statement.login}; not cryptographically signed"
    return f"attributed to the login {statement.login}; not cryptographically signed"


def trouble_paragraphs(title: str, text: str, hint: str, policy: str = "") -> Iterator[Paragraph]:
    """Yield what stands in the way, and the way on, ahead of everything else."""
    yield Paragraph.plain(title, "bold $warning")
    yield fact("why", text)
    if hint:
        yield fact("way on", hint)
    if policy:
        yield fact("without", policy)
    yield Paragraph.plain("")


def no_key_paragraphs(pen: Pen) -> Iterator[Paragraph]:
    """Yield why no key can be used, where there are people who could use one, and what goes without."""
    if pen.refused is None:
        return
    hint = "; then ".join(filter(None, (pen.refused.hint, "r looks again")))
    policy = f"a key it cannot be signed: this checklist asks for {pen.wanted}"
    if pen.chosen is not None and pen.chosen.tier.satisfies(pen.wanted):
        policy = "a key this checklist can be signed too, which proves nothing"
        policy += ": S, then Y" if pen.chosen.tier is Tier.ATTRIBUTED else ""
    yield from trouble_paragraphs("No key can sign this now", str(pen.refused), hint, policy)


def waiting_words(way: Way) -> str:
    """Return what is waited for while something is being signed."""
    if way.candidate is None:
        return "signing ..."
    if way.candidate.person.hardware:
        return "touch the key when it blinks; Esc stops waiting"
    where = "the agent" if way.candidate.place is KeyPlace.AGENT else "the key"
    return f"waiting for {where} to sign; Esc stops waiting"


def way_entries(pen: Pen, login: str) -> list[Entry]:
    """Return the ways of signing to choose from, the best first."""
    return [Entry(each.id, _title(each, login), _right(each, pen.wanted)) for each in pen.ways]


def _title(way: Way, login: str) -> str:
    if way.candidate is not None:
        person = way.candidate.person
        where = way.candidate.comment or way.candidate.path or way.candidate.place
        return visible(f"{person.name}: {_type(person.key_type)} {person.fingerprint[:19]} {where}")
    if way.tier is Tier.REAUTHENTICATED:
        return f"the password of the login {login}: no key, no proof to others"
    return f"nothing but the login {login}: no proof"


def _right(way: Way, wanted: Tier) -> str:
    return str(way.tier) if way.tier.satisfies(wanted) else f"{way.tier}: not enough"
