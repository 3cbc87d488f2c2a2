"""Writing a longer text in the operator's own editor, while everything else goes on."""

import asyncio
import contextlib
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from opsconsole.widgets.application import TerminalApp

_FALLBACKS = ("sensible-editor", "nano", "vi")
"""Tried in this order where neither VISUAL nor EDITOR is set."""

_FILE_NAME = "opsconsole-note.txt"
_END_WITHIN = 2.0
"""Seconds an editor has to end after it was asked to, before it is killed."""


class EditorError(Exception):
    """The editor could not be run, or did not end well; nothing that was typed is lost."""

    def __init__(self, message: str, text: str) -> None:
        super().__init__(message)
        self.message = message
        """What happened, for the operator."""
        self.text = text
        """What stands in the file: the text as it was given, or as far as it was edited."""


def editor_command(environ: Mapping[str, str]) -> list[str]:
    """Return the words of the operator's editor: VISUAL, else EDITOR, else what this host has.

    Raises ValueError with an explanation where there is none.
    """
    for name in ("VISUAL", "EDITOR"):
        if environ.get(name, "").strip():
            try:
                words = shlex.split(environ[name])
            except ValueError as error:
                raise ValueError(f"{name} cannot be read as a command: {error}") from error
            if words:
                return words
    found = next(filter(shutil.which, _FALLBACKS), None)
    if found is None:
        raise ValueError("no editor was found: set EDITOR to the one to use")
    return [found]


async def edit_text(app: TerminalApp[Any], text: str, environ: Mapping[str, str] = os.environ) -> str:
    """Lend the terminal to the operator's editor with `text` in it; return what was saved, without final line ends.

    Await it from a worker: the application goes on measuring, and when it has to leave, the worker is cancelled,
    the editor ended, and the file kept, with its path said on the terminal. The file has mode 0600, in a directory
    of its own (0700) that goes away with it. Raises EditorError where the editor is missing or ends with an error.
    """
    try:
        command = editor_command(environ)
        directory = Path(tempfile.mkdtemp(prefix="opsconsole-"))
    except (ValueError, OSError) as error:
        raise EditorError(str(error), text) from error
    path = directory / _FILE_NAME
    try:
        _write(path, text)
        problem = await _run(app, [*command, str(path)])
        saved = _read(path)
    except asyncio.CancelledError:
        app.say_at_exit(f"The text in the editor was kept in {path}")
        raise
    except OSError as error:
        # The file is left where it is: it may hold what was typed.
        raise EditorError(f"{command[0]}: {error}; anything typed is in {path}", text) from error
    shutil.rmtree(directory, ignore_errors=True)
    if problem:
        raise EditorError(problem, saved)
    return saved


async def _run(app: TerminalApp[Any], command: list[str]) -> str | None:
    """Run the editor on the terminal; return what went wrong with it, if anything did."""
    with app.keyboard_lent(), app.suspend():
        try:
            # Standard output may be redirected; the terminal is where the console is drawn.
            editor = await asyncio.create_subprocess_exec(*command, stdout=sys.__stderr__)
        except (OSError, ValueError) as error:
            return f"{command[0]} cannot be run: {error}"
        try:
            status = await editor.wait()
        finally:
            await _end(editor)
    if status == 0:
        return None
    return f"{command[0]} ended with {f'status {status}' if status > 0 else f'signal {-status}'}"


async def _end(editor: asyncio.subprocess.Process) -> None:
    """End the editor, if it still runs, so that it can save what it has for recovery."""
    if editor.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        editor.terminate()
        try:
            await asyncio.wait_for(editor.wait(), _END_WITHIN)
        except TimeoutError:
            editor.kill()
            await editor.wait()


def _write(path: Path, text: str) -> None:
    fileno = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fileno, "w", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        file.write(f"{text}\n" if text and not text.endswith("\n") else text)


def _read(path: Path) -> str:
    """Return what the editor saved; bytes that are no UTF-8 are taken for Latin-1, so that none gets lost."""
    data = path.read_bytes()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text.replace("\r\n", "\n").rstrip("\n")
