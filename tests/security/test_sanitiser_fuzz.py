"""200,000 hostile texts through everything that shows or writes one: none comes out as anything but text.

They are made from a seed, of what steers terminals, renderers and spreadsheets and of any characters at all. `make
faults` takes the whole number through each way; the plain suite all of them through the sanitiser itself and a part
through the slower ways.
"""

import datetime as dt
import json
import random
import tomllib
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import islice

import pytest
from textual.app import ComposeResult

from opsconsole.cli.common import narrate
from opsconsole.config.diagnostics import Diagnostic
from opsconsole.contracts.exporter import Exporter
from opsconsole.export.commonmark import fenced, heading, inline, line, quoted, table
from opsconsole.export.json import JsonExporter
from opsconsole.export.markdown import MarkdownExporter
from opsconsole.export.text import TextExporter
from opsconsole.export.toml import TomlExporter
from opsconsole.model.checklists import Section
from opsconsole.model.events import Actor, Filled, Noted, Skipped, Via, Waived
from opsconsole.model.readings import Evidence, Problem, Reading
from opsconsole.model.text import storable, visible, visible_lines
from opsconsole.screens.form import harmless
from opsconsole.widgets.application import TerminalApp
from opsconsole.widgets.evidence import Paragraph, TextPane
from opsconsole.widgets.pieces import Piece, clean, cut_pieces
from opsconsole.widgets.rows import Row, Rows
from support.faults import FULL, Tally, times
from support.hostile import FRAGMENTS
from support.markdown import PLAIN_TOKENS, parse
from support.sanitised import UNSAFE, assert_only_text
from support.states import Telling, checklist, item

TEXTS = 200_000
SEED = 20_261_121
BATCH = 2_000

_LONGEST = 12
_PLANES = (0x80, 0x100, 0x3000, 0xE100, 0x11_0000)

pytestmark = pytest.mark.faults("hostile-text")


def batched(texts: Iterator[str], size: int) -> Iterator[tuple[str, ...]]:
    """Yield the texts in batches (itertools has this from Python 3.12 on)."""
    while batch := tuple(islice(texts, size)):
        yield batch


def hostile_texts(count: int, seed: int = SEED) -> Iterator[str]:
    """Yield the texts: fragments that mean something, and characters of every plane, lone surrogates included."""
    pick = random.Random(seed)
    for index in range(count):
        length = pick.randrange(1, _LONGEST)
        if index % 4:
            yield "".join(pick.choices(FRAGMENTS, k=length))
        else:
            yield "".join(chr(pick.randrange(pick.choice(_PLANES))) for _ in range(length))


def test_the_texts_are_hostile() -> None:
    """Every category that steers, and everything that begins an escape or a tag, is among them: they can fail."""
    found = "".join(hostile_texts(20_000))
    assert {unicodedata.category(char) for char in found} >= UNSAFE
    assert all(each in found for each in ("\x1b[", "\x1b]0;", "\x9b", "<b>", "](", "\u202e", "\ud800", "\u2028"))
    with pytest.raises(AssertionError):
        assert_only_text(found)
    with pytest.raises(AssertionError):
        assert_only_text("two\nlines", lines=False)


def test_the_sanitiser(tally: Tally) -> None:
    """One line stays one line, lines stay lines, and what was harmless is still there."""
    for texts in batched(hostile_texts(TEXTS), BATCH):
        for text in texts:
            with tally.one():
                shown = visible(text)
                assert_only_text(shown, lines=False)
                assert visible(shown) == shown
                for each in visible_lines(text):
                    assert_only_text(each, lines=False)
        together = "\n".join(texts)
        assert_only_text(harmless(together))
        assert_only_text("\n".join(visible_lines(together)))
        storable(together).encode("utf-8")


def test_pieces_of_the_console(tally: Tally) -> None:
    """Cells of rows and lines of panes, cut or whole, hold nothing that moves the cursor."""
    for text in hostile_texts(times(20_000, TEXTS)):
        with tally.one():
            assert_only_text(clean(text), lines=False)
            assert_only_text("".join(each.text for each in cut_pieces([Piece(text), Piece(text)], 17)), lines=False)


class _App(TerminalApp[None]):
    """A pane and rows, on their own."""

    def compose(self) -> ComposeResult:
        yield Rows()
        yield TextPane()


async def test_the_terminal(tally: Tally) -> None:
    """The widgets send the terminal no control sequence of anybody else's."""
    app = _App()
    async with app.run_test(size=(100, 60)) as pilot:
        pane, rows = app.query_one(TextPane), app.query_one(Rows)
        for texts in batched(hostile_texts(times(4_000, TEXTS), SEED + 1), 500):
            paragraphs = [Paragraph((Piece(text, "bold"), Piece(text)), indent=3) for text in texts]
            pane.show(paragraphs, document=str(tally.tried))
            rows.set_rows([Row(f"k{at}", (Piece(text),), (Piece(text),)) for at, text in enumerate(texts[:200])])
            await pilot.pause()
            seen = [*pane.lines, *(pane.render_line(y).text for y in range(pane.size.height))]
            seen += [rows.render_line(y).text for y in range(rows.size.height)]
            assert_only_text("\n".join(seen))
            assert all("\n" not in each for each in seen)
            segments = [segment for y in range(pane.size.height) for segment in pane.render_line(y)]
            assert all(segment.control is None for segment in segments)
            tally.survived_all(len(texts))


def _told(texts: Sequence[str]) -> Telling:
    """Return a run in every field of which there is a hostile text, as a store might hold it."""
    at = map(storable, texts)
    items = [item(f"i{number}", next(at), "value != 0", help=next(at)) for number in range(len(texts) // 20)]
    section = Section(next(at), tuple(items))
    telling = Telling(
        checklist(section, title=next(at), system=next(at), help=next(at)),
        actor=Actor(next(at), next(at), next(at), Via.CONSOLE),
    )
    for each in items:
        reading = Reading(
            measures={"value": next(at)},
            columns=(next(at), "b"),
            rows=((next(at), next(at)), (next(at), None)),
            evidence=(Evidence(next(at), f"{next(at)}\n{next(at)}"),),
            command=next(at),
        )
        telling.measure(each.id, reading)
        telling.measure(each.id, problem=Problem("failed", next(at), next(at)))
        telling.add(Noted(each.id, f"{next(at)}\n{next(at)}"))
        telling.add(
            Skipped(each.id, next(at))
            if len(telling.events) % 2
            else Waived(each.id, next(at), dt.date(2027, 1, 1))
        )
    telling.add(Noted("", next(at)), Filled("notes", next(at)), Filled("issues", next(at)))
    return telling


EXPORTERS: tuple[Exporter, ...] = (TextExporter(), MarkdownExporter(), JsonExporter(), TomlExporter())


def test_the_exported_documents(tally: Tally) -> None:
    """Day logs, texts, JSON and TOML of runs in which every text is hostile hold text only, and read back."""
    per_document = 400
    for texts in batched(hostile_texts(times(4_000, TEXTS), SEED + 2), per_document):
        if len(texts) < per_document:
            continue
        report = _told(texts).report()
        documents = {each.name: each.render(report) for each in EXPORTERS}
        for document in documents.values():
            assert_only_text(document)
        parsed = parse(documents["markdown"])
        assert parsed.kinds <= PLAIN_TOKENS, parsed.kinds - PLAIN_TOKENS
        json.loads(documents["json"])
        tomllib.loads(documents["toml"])
        tally.survived_all(len(texts))


def test_markdown_has_no_html_and_no_links(tally: Tally) -> None:
    """In a paragraph, a heading, a list, a quotation, a fence and a cell a text stays a text to every renderer."""
    for texts in batched(hostile_texts(times(4_000, TEXTS), SEED + 3), 200):
        blocks = []
        for text in texts:
            blocks += [f"It said: {inline(text)}", heading(3, text), f"- {line(text)}", quoted(text), fenced(text)]
        blocks.append(table(("a", "b"), [(text, text) for text in texts]))
        document = "\n\n".join(blocks)
        assert_only_text(document)
        kinds = parse(document).kinds
        assert kinds <= PLAIN_TOKENS, kinds - PLAIN_TOKENS
        tally.survived_all(len(texts))


def test_messages(capsys: pytest.CaptureFixture[str], tally: Tally) -> None:
    """What the commands say on stderr, and what lint says of a file, is lines of text."""
    for texts in batched(hostile_texts(times(10_000, TEXTS), SEED + 4), BATCH):
        for text in texts:
            assert_only_text(str(Diagnostic(text, text, item=text, key=text)), lines=False)
            narrate(text)
        said = capsys.readouterr().err
        assert_only_text(said)
        tally.survived_all(len(texts))


def test_the_full_number_is_asked_for_where_it_has_to_be() -> None:
    """The recipe of the fault tests takes every text through every way."""
    assert times(1, TEXTS) == (TEXTS if FULL else 1)
