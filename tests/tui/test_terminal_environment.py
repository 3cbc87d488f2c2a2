"""What the console takes from its environment, before it imports what draws."""

import subprocess
import sys

import pytest

from opsconsole.widgets.environment import Terminal, declared_locale, is_utf8, prepare, refusal


def test_settings_that_textual_reads_on_import() -> None:
    """Nothing moves by itself, a slow Escape is still one key, and the operator's own choices stay."""
    environ = {"ESCDELAY": "50", "TEXTUAL_ANIMATIONS": "full", "TERM": "xterm"}
    prepare(environ)
    assert environ["TEXTUAL_ANIMATIONS"] == "none"
    assert environ["ESCDELAY"] == "50"
    assert environ["TEXTUAL_DISABLE_KITTY_KEY"] == "1"
    assert environ["TEXTUAL_THEME"] == "ansi-dark"
    assert int(environ["TEXTUAL_FPS"]) <= 60


@pytest.mark.parametrize(
    ("given", "no_color", "theme"),
    [
        ({"TEXTUAL_THEME": "nord"}, False, "nord"),
        ({"TEXTUAL_THEME": "nord", "NO_COLOR": "1"}, True, "ansi-dark"),
        ({"TEXTUAL_THEME": "nord", "NO_COLOR": "0"}, True, "ansi-dark"),
        ({"TEXTUAL_THEME": "nord", "NO_COLOR": ""}, False, "nord"),
    ],
)
def test_no_color_counts_where_it_is_not_empty(given: dict[str, str], no_color: bool, theme: str) -> None:
    """NO_COLOR is taken as its standard says, and puts aside a theme that has colours of its own."""
    environ = dict(given)
    prepare(environ)
    assert Terminal.detect(environ).no_color is no_color
    assert ("NO_COLOR" in environ) is no_color
    assert environ["TEXTUAL_THEME"] == theme


@pytest.mark.parametrize(
    ("environ", "utf8"),
    [
        ({}, False),
        ({"LANG": "C"}, False),
        ({"LANG": "POSIX"}, False),
        ({"LANG": "en_US.ISO-8859-1"}, False),
        ({"LANG": "de_DE@euro"}, False),
        ({"LANG": "C.utf8"}, True),
        ({"LANG": "de_DE.UTF-8"}, True),
        ({"LANG": "de_DE.UTF-8@euro"}, True),
        ({"LC_CTYPE": "UTF-8"}, True),
        ({"LANG": "C", "LC_CTYPE": "fr_FR.UTF-8"}, True),
        ({"LANG": "fr_FR.UTF-8", "LC_ALL": "C"}, False),
        ({"LANG": "fr_FR.UTF-8", "LC_ALL": ""}, True),
    ],
)
def test_ascii_where_the_locale_is_not_utf8(environ: dict[str, str], utf8: bool) -> None:
    """Glyphs are drawn where the operator's locale says UTF-8, whether or not this host has that locale."""
    assert is_utf8(declared_locale(environ)) is utf8
    assert Terminal.detect(environ).ascii is not utf8
    assert Terminal.detect(environ, ascii_asked=True).ascii


@pytest.mark.parametrize(
    ("environ", "utf8"),
    [
        ({}, False),
        ({"LANG": "C"}, False),
        ({"LC_CTYPE": "UTF-8"}, True),
        ({"LC_CTYPE": "C.UTF-8"}, True),
        ({"LANG": "xx_XX.UTF-8"}, True),
        ({"LC_ALL": "C"}, False),
    ],
)
def test_what_python_made_of_the_locale_is_not_taken_for_the_operators(environ: dict[str, str], utf8: bool) -> None:
    """Python gives a process without a locale C.UTF-8; its terminal has none all the same."""
    code = (
        "import os; from opsconsole.widgets.environment import Terminal; print(Terminal.detect(os.environ).ascii)"
    )
    answer = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == str(not utf8)


@pytest.mark.parametrize(
    ("term", "terminals", "said"),
    [
        ("xterm-256color", {0, 1, 2}, None),
        ("xterm-256color", {0, 2}, None),
        ("linux", {0, 1, 2}, None),
        ("xterm-256color", {1, 2}, "standard input is not a terminal"),
        ("xterm-256color", {0, 1}, "standard error, on which the console is drawn, is not a terminal"),
        ("dumb", {0, 1, 2}, "TERM=dumb"),
        ("UNKNOWN", {0, 1, 2}, "TERM=unknown"),
        ("", {0, 1, 2}, "TERM is not set"),
        (None, {0, 1, 2}, "TERM is not set"),
    ],
)
def test_refusal_names_the_problem_and_the_way_out(term: str | None, terminals: set[int], said: str | None) -> None:
    """Where the console cannot be drawn, the operator reads why, and how to get on without it."""
    refused = refusal({} if term is None else {"TERM": term}, terminals.__contains__)
    if said is None:
        assert refused is None
    else:
        assert refused is not None
        assert said in refused
        assert "--headless" in refused


def test_deciding_imports_nothing_that_draws() -> None:
    """Refusing a terminal, or a first word to the operator, does not wait for the import of Textual."""
    code = "import sys, opsconsole.widgets.environment; print({'textual', 'rich'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"
