"""What is signed, as anybody can put it together from the lines of a store."""

import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.model.encoding import canonical, decoded
from opsconsole.model.events import (
    Amended,
    Amendment,
    AmendmentKind,
    Event,
    Meaning,
    Signature,
    Signed,
    Statement,
)
from opsconsole.model.record import record_bytes, sha256_of, statement_bytes, statement_document
from opsconsole.model.signoff import statement_of
from opsconsole.model.tiers import Tier
from support.events import event
from support.runs import MORNING, OPERATOR, Chain

_texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(
    st.lists(st.binary(max_size=20).map(lambda each: each.replace(b"\n", b"")), max_size=5), st.binary(max_size=9)
)
def test_the_record_is_its_lines(documents: list[bytes], statement: bytes) -> None:
    """Each document is a line of its own and the statement the last: nothing between, nothing after."""
    record = record_bytes(documents, statement)
    assert record == b"\n".join([*documents, statement]) + b"\n"


@given(_texts, _texts)
def test_the_statement_is_found_in_its_event_as_it_was_signed(name: str, reason: str) -> None:
    """Whatever is in a name or a reason: the bytes of the statement are the same before it is stored and after."""
    note = Amendment(kind=AmendmentKind.NOTE, reason=reason, text='","statement":{"x":1}')
    plain = statement_of(Chain().state(), OPERATOR, store_id="store", signed_at=MORNING)
    for statement in (plain, msgspec.structs.replace(plain, meaning=Meaning.AMENDED, amendment=note)):
        named = msgspec.structs.replace(statement, name=name)
        signature = Signature(Tier.SIGNED, "p", "SHA256:k", '{"statement":{}}')
        body = Signed if named.amendment is None else Amended
        document = canonical(event(body(statement=named, signature=signature)))
        assert statement_bytes(document) == statement_document(named)
        assert decoded(statement_bytes(document), Statement) == named
        assert canonical(decoded(document, Event)) == document


@pytest.mark.parametrize("document", [b"", b"{}", b"[]", b'{"body":{"type":"ticked","item":"x"}}', b'{"body":{}}'])
def test_what_is_no_signature_has_no_statement(document: bytes) -> None:
    """A reader that takes the wrong line is told so, and gets no empty statement."""
    with pytest.raises(msgspec.MsgspecError):
        statement_bytes(document)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_evidence_is_known_by_the_hash_of_its_bytes(text: str) -> None:
    """`sha256sum` of a file with the text gives what the event keeps."""
    assert sha256_of(text) == hashlib.sha256(text.encode()).hexdigest()
