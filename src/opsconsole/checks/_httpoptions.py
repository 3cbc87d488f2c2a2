"""The options of the probe `http`: what they are, what is wrong with them, and what they will measure."""

import re
import urllib.parse
from typing import Literal

import msgspec

from opsconsole.checks._http import Server, server_problems
from opsconsole.checks._jsonreading import (
    names_of,
    question_problems,
    question_subjects,
    questions_of,
    unit_of,
    value_problems,
)
from opsconsole.checks._statements import PARAMETERS
from opsconsole.checks.httpsources import HEADER_NAME
from opsconsole.contracts.probe import Context, ProbeError, Subjects
from opsconsole.model.values import Unit

ALWAYS: Subjects = {"status": Unit.COUNT, "latency": Unit.SECONDS, "size": Unit.BYTES}
CERTIFICATE: Subjects = {
    "certificate_left": Unit.SECONDS,
    "chain_left": Unit.SECONDS,
    "trusted": None,
    "distrust": None,
    "issuer": None,
}
TEXT = "text"
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


class HttpOptions(Server, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of the probe `http`."""

    path: str = ""
    """What is added to the server's URL, such as `/health/`. In it, in `params` and in `body` the parameters that
    queries have (see the probe `sql`) may stand in braces: `{cutoff}`, `{window_start}`; moments are ISO 8601 in
    UTC."""
    params: dict[str, str] = msgspec.field(default_factory=dict)
    """The query of the URL: `{ limit = "10", since = "{cutoff}" }`."""
    method: Literal["GET", "HEAD", "POST"] = "GET"
    """POST is for searches that are asked so. A check changes nothing."""
    body: str = ""
    """What is posted; as JSON where it looks so, unless `headers` gives a `content-type`."""
    follow_redirects: bool = False
    """Follow redirects that stay on the same host. Without it, and where one leads elsewhere, the redirect is the
    answer, with its status of 301 to 308."""
    text: bool = False
    """Measure the answer as `text`. What is longer than 65,536 characters, or no text, is not measured."""
    json: dict[str, str] | str = msgspec.field(default_factory=dict)
    """Values of a JSON answer by their paths (RFC 9535): `{ state = "$.status", ok = "$.checks[*].ok" }`. A path to
    one place makes a measure, one to many a column with a row for each; several columns must lead to the same rows.
    A single path is measured as `value`. `key` is the column that says which member a row is."""
    counts: dict[str, str] = msgspec.field(default_factory=dict)
    """Measures that say how many places a path leads to: `{ down = "$.services[?@.state != 'up']" }`.
    Where a filter compares what none of many elements has, they are not known; what may be missing is asked for
    first: `[?@.error && @.error != 'none']`."""
    rows: str = ""
    """The path of the rows of a table: `"$.services[*]"`."""
    columns: dict[str, str] = msgspec.field(default_factory=dict)
    """The columns of `rows`, by paths that begin at each row: `{ name = "$.name", state = "$.state" }`. Without
    them the only column is `value`."""
    answer_headers: dict[str, str] = msgspec.field(default_factory=dict)
    """Measures that are headers of the answer: `{ modified = "last-modified" }`."""
    units: dict[str, str] = msgspec.field(default_factory=dict)
    """What 1 is in numbers of an answer: `{ took = "ms", size = "KiB", share = "100%" }`."""
    ages: tuple[str, ...] = ()
    """Measures and columns that are timestamps, of which the time is measured that has passed since: ISO 8601, a
    number of seconds or milliseconds since 1970, or a date of HTTP."""
    timezone: str = ""
    """The time zone of timestamps that do not say theirs, such as `UTC`."""
    label: str = ""
    """The column that names a row in explanations."""
    certificate: bool = False
    """Measure the certificate of an `https` server: `certificate_left` and `chain_left` (until its own and the
    first of all that it sends end, negative afterwards; the second is missing where Python does not show them),
    whether it is `trusted`, else the `distrust`, and its `issuer`. Of a server that is not trusted nothing else is
    measured."""


def filled(text: str, context: Context, *, in_path: bool = False) -> str:
    """Return a text with the parameters of the run in it; raise ProbeError where one has no value."""

    def value(match: re.Match[str]) -> str:
        parameter = PARAMETERS.get(match[1])
        if parameter is None:
            return match[0]
        found = parameter.value(context)
        if found is None:
            raise ProbeError("bad-options", f"there is no '{match[1]}', {parameter.meaning}", parameter.missing)
        if parameter.type == "timestamptz":
            found = found.replace(" ", "T").replace("+00:00", "Z")
        return urllib.parse.quote(found, safe="") if in_path else found

    return _PLACEHOLDER.sub(value, text)


def option_problems(options: HttpOptions) -> list[tuple[str, str]]:
    """Return what is wrong with options beyond their types, as pairs of key and message."""
    asked = questions_of(options)
    taken = (*ALWAYS, *CERTIFICATE, TEXT)
    found = [*server_problems(options), *_request_problems(options)]
    about_json = question_problems(asked, (*taken, *options.answer_headers))
    found += about_json
    for name, header in options.answer_headers.items():
        if name in taken or not name.isidentifier():
            found.append(("answer_headers", f"'{name}' is no name for a measure, or one that is measured anyway"))
        elif not HEADER_NAME.match(header):
            found.append(("answer_headers", f"'{header}' is no name of a header"))
    if not about_json:
        found += value_problems(asked, (*names_of(asked), *options.answer_headers))
    if options.method == "HEAD" and (asked.any or options.text):
        found.append(("method", "the answer to HEAD has no body to read"))
    if options.certificate and options.url and not options.url.startswith("https:"):
        found.append(("certificate", "only a server that is asked over https has one"))
    return found


def _request_problems(options: HttpOptions) -> list[tuple[str, str]]:
    found = []
    if any(ord(each) <= 0x20 for each in options.path) or "#" in options.path:  # noqa: PLR2004 - space and controls
        found.append(("path", "it holds a character that no path has; write %20 for a space, %23 for #"))
    elif options.path and not options.path.startswith(("/", "?")):
        found.append(("path", f"'{options.path}' does not begin with a slash"))
    if options.body and options.method != "POST":
        found.append(("body", 'only a POST has one: method = "POST"'))
    for key, texts in (("path", [options.path]), ("params", [*options.params.values()])):
        for text in texts:
            unknown = [name for name in _PLACEHOLDER.findall(text) if name not in {*PARAMETERS, "target"}]
            known = ", ".join(PARAMETERS)
            found += [(key, f"there is no parameter '{{{name}}}'; there are {known}") for name in unknown]
    return found


def subjects_of(options: HttpOptions) -> Subjects:
    """Return what conditions may speak of, with the unit of each; None for any."""
    asked = questions_of(options)
    headers = {name: unit_of(name, asked) for name in options.answer_headers}
    return {
        **ALWAYS,
        **({TEXT: None} if options.text else {}),
        **headers,
        **question_subjects(asked),
        **(CERTIFICATE if options.certificate else {}),
    }
