"""Looks for secrets in text files, line by line, by the detectors of the library detect-secrets.

What is found is told by file, line and kind; the secret itself is forgotten where it is found. Only detectors of
tokens with a shape of their own are asked, and on demand the one of words such as `password=`: those that go by
entropy or by hexadecimal digits find something in every log.
"""

import base64
import importlib
import itertools
import json
import re
import string
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO

import msgspec

from opsconsole.checks._archives import COMPRESSED, HEAD, DamagedError, UntestableError, format_of
from opsconsole.checks._archives_streams import text_stream
from opsconsole.checks._files import Stop, is_absent, open_regular, sized, why
from opsconsole.checks._mounts import presentable
from opsconsole.contracts.probe import ProbeError

DETECTORS = {
    "aws": "AWSKeyDetector",
    "azure_storage_key": "AzureStorageKeyDetector",
    "basic_auth": "BasicAuthDetector",
    "discord": "DiscordBotTokenDetector",
    "github_token": "GitHubTokenDetector",
    "gitlab_token": "GitLabTokenDetector",
    "jwt": "JwtTokenDetector",
    "mailchimp": "MailchimpDetector",
    "npm": "NpmDetector",
    "openai": "OpenAIDetector",
    "private_key": "PrivateKeyDetector",
    "pypi_token": "PypiTokenDetector",
    "sendgrid": "SendGridDetector",
    "slack": "SlackDetector",
    "square_oauth": "SquareOAuthDetector",
    "stripe": "StripeDetector",
    "telegram_token": "TelegramBotTokenDetector",
    "twilio": "TwilioKeyDetector",
}
"""Modules of `detect_secrets.plugins` and their classes."""
LONGEST_LINE = 4096
"""Characters of a line that are looked at at once: detectors take longer than in proportion for longer ones."""
OVERLAP = 1024
"""Characters that two pieces of a longer line have in common, so that no token is cut in both."""
BLOCK = 1 << 18
"""Bytes that are read at once."""

_SETTINGS = "settings.ini"
"""A name by which the keyword detector takes values without quotes for such, as logs have them."""
_WITH_FILTERS = frozenset({"Basic Auth Credentials", "Secret Keyword"})
_JWT = "JSON Web Token"
_BASE64_URL = string.ascii_letters + string.digits + "-_."
_MOST_FINDINGS = 10_000


class Finding(msgspec.Struct, frozen=True):
    """Where a secret is."""

    file: str
    line: int
    """From 1."""
    kind: str
    """In the library's words: `AWS Access Key`."""


class Scanned(msgspec.Struct):
    """What the scan of a number of files came to."""

    findings: list[Finding] = msgspec.field(default_factory=list)
    count: int = 0
    """All that were found, also those that are not kept."""
    files: int = 0
    """Files that were read to their end."""
    size: int = 0
    """Bytes that were looked at, uncompressed."""
    unscanned: list[tuple[str, str]] = msgspec.field(default_factory=list)
    """Files that were not, or not wholly, with the reason."""


class Detectors:
    """The detectors, loaded once for a scan; raises ProbeError where the library is not there."""

    def __init__(self, *, keywords: bool) -> None:
        try:
            plugins = [
                getattr(importlib.import_module(f"detect_secrets.plugins.{module}"), name)()
                for module, name in DETECTORS.items()
            ]
            heuristic = importlib.import_module("detect_secrets.filters.heuristic")
            self._keyword: Any = None
            if keywords:
                keyword = importlib.import_module("detect_secrets.plugins.keyword")
                self._keyword = keyword.KeywordDetector()
                self._words = [re.compile(each) for each in keyword.DENYLIST]
                self._any_word = re.compile("|".join(keyword.DENYLIST), re.IGNORECASE)
        except ImportError as error:
            raise ProbeError(
                "missing-driver",
                "the library detect-secrets, which looks for secrets, is not installed",
                "install it: pip install 'opsconsole[secrets]'",
            ) from error
        self._plugins: list[tuple[Any, list[re.Pattern[str]]]] = [
            (plugin, [re.compile(each.pattern, each.flags | re.MULTILINE) for each in plugin.denylist])
            for plugin in plugins
        ]
        self._harmless: tuple[Callable[[str], bool], ...] = (
            heuristic.is_templated_secret,
            heuristic.is_prefixed_with_dollar_sign,
            heuristic.is_not_alphanumeric_string,
            heuristic.is_sequential_string,
        )
        self._is_reference: Callable[[str], bool] = heuristic.is_indirect_reference

    def kinds(self, lines: Sequence[str], stop: Stop) -> Iterator[tuple[int, str]]:
        """Yield which of the lines (by index) has which kind of a secret.

        The patterns go over all lines at once, to find those that are worth being looked at by themselves: that is
        three times faster than line by line.
        """
        text = "\n".join(lines)
        starts = list(itertools.accumulate((len(line) + 1 for line in lines), initial=0))
        for plugin, patterns in self._plugins:
            stop.check()
            for index in sorted({at for pattern in patterns for at in _lines_with(pattern, text, starts)}):
                if any(self._counts(plugin.secret_type, each) for each in plugin.analyze_string(lines[index])):
                    yield index, str(plugin.secret_type)
        for index, line in enumerate(lines):
            if len(line) >= OVERLAP and _ends_within_jwt(line):
                yield index, _JWT
        if self._keyword is not None:
            for index in self._with_words(text, starts):
                stop.check()
                if self._has_keyword(lines[index]):
                    yield index, str(self._keyword.secret_type)

    def _with_words(self, text: str, starts: Sequence[int]) -> list[int]:
        """Return the lines with a word of the keyword detector: one by one, in small letters, they are found fast.

        Beyond ASCII small letters may be more characters than capitals.
        """
        patterns, text = (self._words, text.lower()) if text.isascii() else ([self._any_word], text)
        return sorted({at for pattern in patterns for at in _lines_with(pattern, text, starts)})

    def _counts(self, kind: str, secret: str) -> bool:
        return kind not in _WITH_FILTERS or not any(harmless(secret) for harmless in self._harmless)

    def _has_keyword(self, line: str) -> bool:
        if self._is_reference(line):
            return False
        found = self._keyword.analyze_line(filename=_SETTINGS, line=line)
        return any(self._counts("Secret Keyword", each.secret_value) for each in found if each.secret_value)


def _ends_within_jwt(line: str) -> bool:
    """Whether a piece of a line ends in the middle of a JSON Web Token too long for any piece to hold it whole.

    A token with many claims has kilobytes. Its header comes first (RFC 7519, 3) and is always short.
    """
    run = line[len(line.rstrip(_BASE64_URL)) :]
    header, dot, _ = run[max(run.find("eyJ"), 0) :].partition(".")
    if len(run) < OVERLAP or not dot or not header.startswith("eyJ"):
        return False
    try:
        return "alg" in json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    except (ValueError, TypeError, RecursionError):
        return False


def _lines_with(pattern: re.Pattern[str], text: str, starts: Sequence[int]) -> Iterator[int]:
    """Yield the indexes of the lines that a match touches."""
    for match in pattern.finditer(text):
        first = bisect_right(starts, match.start()) - 1
        last = bisect_right(starts, max(match.end() - 1, match.start())) - 1
        yield from range(first, min(last, len(starts) - 2) + 1)


def scan(
    path: str, shown: str, detectors: Detectors, into: Scanned, stop: Stop, *, limit: int, follow: bool
) -> None:
    """Scan one file up to `limit` bytes of its text; what could not be, `into.unscanned` says with the reason.

    Memory is bounded by BLOCK and its lines, whatever the file holds. Compressed files (gzip, bzip2, xz, zstd) are
    read for what they hold.
    """
    stop.doing = f"scanning {shown}"
    try:
        with open_regular(path, stop, follow=follow) as file:
            head = file.read(HEAD)
            file.seek(0)
            found = format_of(head, "")
            stream: BinaryIO = file
            if found in COMPRESSED:
                stream = text_stream(file, found, shown, stop)
            reason = _scan_stream(stream, shown, detectors, limit, into, stop)
    except OSError as error:
        if is_absent(error):
            return  # rotated away since the directory was read
        reason = why(error)
    except (DamagedError, UntestableError) as error:
        reason = str(error)
    if reason:
        into.unscanned.append((shown, reason))
    else:
        into.files += 1


def _scan_stream(stream: BinaryIO, shown: str, detectors: Detectors, limit: int, into: Scanned, stop: Stop) -> str:
    """Return why the stream was not scanned to its end; empty where it was."""
    left, number = limit, 1
    rest = ""
    while True:
        data = stream.read(min(BLOCK, left + 1)) if left >= 0 else b""
        if b"\0" in data:
            return "it is no text: it holds NUL bytes"
        cut = len(data) > left
        into.size += min(len(data), left)
        text = rest + data[:left].decode("utf-8", "replace")
        left -= len(data)
        last = cut or not data
        lines = text.split("\n")
        rest = "" if last else lines.pop()
        numbers, pieces = _pieces(lines, number)
        number += len(lines)
        if len(rest) > LONGEST_LINE:  # a line without an end in sight: what was looked at is not kept
            more, extra = _pieces([rest], number)
            numbers += more
            pieces += extra
            rest = rest[-OVERLAP:]
        _report(detectors, numbers, pieces, shown, into, stop)
        if cut:
            return f"only its first {sized(limit)} were looked at"
        if not data:
            return ""


def _pieces(lines: Sequence[str], number: int) -> tuple[list[int], list[str]]:
    """Return lines with their numbers, the long ones in pieces that overlap."""
    numbers, pieces = [], []
    for at, line in enumerate(lines, number):
        for start in range(0, max(len(line) - OVERLAP, 1), LONGEST_LINE - OVERLAP):
            numbers.append(at)
            pieces.append(line[start : start + LONGEST_LINE])
    return numbers, pieces


def _report(
    detectors: Detectors, numbers: Sequence[int], pieces: Sequence[str], shown: str, into: Scanned, stop: Stop
) -> None:
    seen = {Finding(shown, numbers[index], kind) for index, kind in detectors.kinds(pieces, stop)}
    known = set(into.findings[-len(seen) - 1 :]) if seen else set()
    for each in sorted(seen - known, key=lambda finding: (finding.line, finding.kind)):
        into.count += 1
        if len(into.findings) < _MOST_FINDINGS:
            into.findings.append(each)


def scanned(root: str, names: Sequence[str], stop: Stop, *, keywords: bool, limit: int, follow: bool) -> Scanned:
    """Scan the files of these names below `root` (`""`: itself), `limit` bytes of each."""
    into = Scanned()
    detectors = Detectors(keywords=keywords)
    for name in names:
        stop.check()
        path = f"{root.rstrip('/')}/{name}" if name else root
        scan(path, presentable(name or root), detectors, into, stop, limit=limit, follow=follow)
    return into
