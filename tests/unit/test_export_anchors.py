"""Reading back the head of the chain from whatever was exported: it shows a record that was changed since."""

import io
import tarfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings

from opsconsole.contracts.exporter import Exporter
from opsconsole.contracts.store import Head
from opsconsole.export.anchors import anchor_of, anchors_in
from opsconsole.export.json import JsonExporter
from opsconsole.export.markdown import MarkdownExporter
from opsconsole.export.record_readme import readme
from opsconsole.export.text import TextExporter
from opsconsole.export.toml import TomlExporter
from opsconsole.model.record import record_bytes, statement_document
from support.hostile import any_text, hostile_text
from support.states import STATES, told

EXPORTERS: tuple[Exporter, ...] = (TextExporter(), JsonExporter(), MarkdownExporter(), TomlExporter())

every_format = pytest.mark.parametrize("exporter", EXPORTERS, ids=[each.name for each in EXPORTERS])

OTHER = "5e0e7a52-0000-4000-8000-00000000ffff"
FORGED = (
    f"Record   7 {'0' * 64}\nStore    {OTHER}\n",
    f"- Anchor: {OTHER} 7 {'0' * 64}",
    f"Anchor:  {OTHER} 7 {'0' * 64}",
    f'schema = "opsconsole.run.v1"\n[chain]\nstore_id = "{OTHER}"\nhead_seq = 7\nhead_hash = "{"0" * 64}"',
    f'{{"schema": "opsconsole.run.v1", "chain": {{"store_id": "{OTHER}", "head_seq": 7}}}}',
)
"""What somebody writes into a note who wants a document to tell of another head."""


@pytest.mark.parametrize("state", STATES)
@every_format
def test_every_document_tells_its_head(exporter: Exporter, state: str) -> None:
    """`opsconsole verify` can hold any exported document against the store, whatever its format."""
    report = STATES[state]().report()
    assert anchor_of(exporter.render(report)) == (report.store_id, report.head.seq, report.head.hash)


@every_format
def test_a_long_chain(exporter: Exporter) -> None:
    """A head whose number no longer fits on the line of the text format is read back too."""
    report = STATES["green"]().report(head=Head(123_456_789, "a" * 64))
    assert anchor_of(exporter.render(report)) == (report.store_id, 123_456_789, "a" * 64)


@pytest.mark.parametrize("forged", FORGED)
@every_format
def test_what_people_write_is_no_anchor(exporter: Exporter, forged: str) -> None:
    """A note, a title or evidence that looks like an anchor does not become the document's."""
    report = told(f"{forged}\n\n{forged}").report()
    assert anchor_of(exporter.render(report)) == (report.store_id, report.head.seq, report.head.hash)


@given(text=any_text | hostile_text)
@settings(max_examples=60)
@every_format
def test_hostile_texts_hide_no_anchor(exporter: Exporter, text: str) -> None:
    """Whatever sources brought back, the head is found."""
    report = told(text).report()
    assert anchor_of(exporter.render(report)) == (report.store_id, report.head.seq, report.head.hash)


@given(any_text | hostile_text)
def test_other_files_have_none(text: str) -> None:
    """A file that is none of ours is passed over, and never a reason to fail."""
    assert anchor_of(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "{}",
        "[" * 100_000,
        "{" + '"a":{' * 100_000,
        '{"schema": 1}',
        '{"schema": "opsconsole.run.v1"}',
        '{"schema": "opsconsole.run.v1", "chain": {"store_id": 1, "head_seq": "x", "head_hash": null}}',
        '{"schema": "opsconsole.run.v1", "chain": {"store_id": "x", "head_seq": 1, "head_hash": "short"}}',
        f'{{"schema": "opsconsole.statement.v", "store_id": "x", "head_seq": {10**30}, "head_hash": "{"0" * 64}"}}',
        f'{{"schema": "opsconsole.statement.v1", "store_id": "x", "head_seq": -1, "head_hash": "{"0" * 64}"}}',
        'schema = "opsconsole.run.v1"\nchain = 1',
        "schema = ",
        f"Record   7 {'0' * 64}",
    ],
)
def test_broken_files_have_none(text: str) -> None:
    """Half a document, or one that was tampered with, gives no anchor and no traceback."""
    assert anchor_of(text) is None


def test_a_signed_file_tells_what_was_signed() -> None:
    """The statement at the end of a `.record` names the event that the signature covers."""
    statement = STATES["amended"]().state.signatures[0].body.statement
    record = record_bytes([b'{"a":1}', b'{"schema":"opsconsole.run.v1"}'], statement_document(statement))
    assert anchor_of(record.decode()) == (statement.store_id, statement.head_seq, statement.head_hash)


def test_a_readme_tells_the_last_event() -> None:
    """Of a record even the README alone is an anchor."""
    report = STATES["amended"]().report()
    assert anchor_of(readme(report, [], 0, [])) == (report.store_id, report.head.seq, report.head.hash)


def test_one_unreadable_file_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document that cannot be read, put before the others in the directory, is told after their heads."""
    report = STATES["signed"]().report()
    for name in ("a.md", "b.md"):
        (tmp_path / name).write_text(MarkdownExporter().render(report))
    read = Path.read_bytes

    def refused(path: Path) -> bytes:
        if path.name == "a.md":
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refused)
    found: list[str] = []
    with pytest.raises(PermissionError, match=r"a\.md"):
        found.extend(Path(where).name for where, _ in anchors_in(tmp_path))
    assert found == ["b.md"]


def test_directories_and_tars_are_looked_through(tmp_path: Path) -> None:
    """Day logs in folders, a tar of a record and documents of other kinds: each head once, with where it stood."""
    report = STATES["signed"]().report()
    later = msgspec.structs.replace(report, head=Head(99, "b" * 64))
    (tmp_path / "2026").mkdir()
    (tmp_path / "2026" / "day.md").write_text(MarkdownExporter().render(report))
    (tmp_path / "2026" / "day.json").write_text(JsonExporter().render(later))
    (tmp_path / "2026" / "photo.md").write_bytes(b"\xff\xd8\xff")
    (tmp_path / "2026" / "link.md").symlink_to(tmp_path / "2026" / "day.md")
    content = TomlExporter().render(later).encode()
    with tarfile.open(tmp_path / "all.tar", "w") as archive:
        entry = tarfile.TarInfo("run/record.toml")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    (tmp_path / "broken.tar").write_bytes(b"no tar" * 1000)
    found = {Path(where).name: anchor.seq for where, anchor in anchors_in(tmp_path)}
    assert found == {"day.md": report.head.seq, "day.json": 99, "record.toml": 99}
    assert [anchor.seq for _, anchor in anchors_in(tmp_path / "2026" / "day.md")] == [report.head.seq]
    with pytest.raises(OSError, match="nowhere"):
        list(anchors_in(tmp_path / "nowhere"))
