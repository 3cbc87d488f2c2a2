"""Probe `http`: one request, and what its answer says: status, time, text, JSON by path, headers, certificate."""

import asyncio
import datetime as dt
import itertools
import shlex
import urllib.parse
from collections.abc import Mapping

import msgspec

from opsconsole.checks import _tls
from opsconsole.checks._http import Answer, Clients, Endpoint, endpoint_of, refusal
from opsconsole.checks._httpoptions import (
    ALWAYS,
    TEXT,
    HttpOptions,
    filled,
    option_problems,
    subjects_of,
)
from opsconsole.checks._httpproblems import UntrustedError
from opsconsole.checks._jsonpath import JsonError, parsed
from opsconsole.checks._jsonreading import Found, Questions, found_in, questions_of, unread, value_of
from opsconsole.checks._scales import scale_of
from opsconsole.checks._servers import lane_of
from opsconsole.checks._threads import in_thread
from opsconsole.contracts.probe import Context, Environment, ProbeError, ProbeKind
from opsconsole.model.readings import MAX_TEXT, Evidence, Reading
from opsconsole.model.redaction import redacted
from opsconsole.model.values import Number, Unit, Value, number, seconds

_LARGE = 64 * 1024
"""Bytes from which on JSON is read in a thread, so that other items are not held up."""
_LEAST_SECONDS = 0.1
_BAD = 300
"""The first status that is not the answer that was asked for (RFC 9110, section 15)."""
_REFUSALS = frozenset({401, 403})
_numbers = itertools.count()


class HttpProbe:
    """Asks servers, over the clients that all probes of a pass share."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    async def measure(self, options: HttpOptions, context: Context) -> Reading:
        """Ask once and return what the answer says."""
        endpoint = endpoint_of(options, self._environment)
        if not options.certificate:
            answer = await self._answer(options, endpoint, context)
            return await _reading(options, endpoint, answer, context)
        if not endpoint.encrypted:
            raise ProbeError("bad-options", f"{endpoint.name} is not asked over https, so it has no certificate")
        began = asyncio.get_running_loop().time()
        seen = await _tls.presented(endpoint, context.allowance)
        left = context.timeout - (asyncio.get_running_loop().time() - began)
        try:
            answer = await self._answer(options, endpoint, msgspec.structs.replace(context, timeout=left))
        except UntrustedError as error:
            return _with_certificate(_untrusted(options, endpoint), seen, context, distrust=error.why)
        return _with_certificate(await _reading(options, endpoint, answer, context), seen, context)

    async def _answer(self, options: HttpOptions, endpoint: Endpoint, context: Context) -> Answer:
        answer = await self._environment.shared(Clients).ask(
            endpoint,
            context,
            filled(options.path, context, in_path=True),
            params={name: filled(each, context) for name, each in options.params.items()},
            method=options.method,
            content=filled(options.body, context).encode() if options.body else None,
            headers=_body_type(options),
            follow=options.follow_redirects,
        )
        if endpoint.secrets and answer.status in _REFUSALS:
            raise refusal(endpoint, answer)
        return answer

    async def aclose(self) -> None:
        """Nothing to end: the clients are shared."""


def _body_type(options: HttpOptions) -> dict[str, str]:
    """Return the header that says what is posted, none where the item has it or nothing is."""
    if not options.body or any(name.lower() == "content-type" for name in options.headers):
        return {}
    as_json = options.body.lstrip()[:1] in {"{", "["}
    return {"content-type": "application/json" if as_json else "text/plain; charset=utf-8"}


def _line(options: HttpOptions, endpoint: Endpoint, url: str, context: Context) -> str:
    """Return a line for a shell that asks the same; secrets are taken from where they are kept."""
    words = ["curl", "-sS", "-i", "--max-time", f"{context.timeout:.3g}", *endpoint.shell]
    words += ["-I"] if options.method == "HEAD" else []
    for name, value in _body_type(options).items():
        words += ["-H", shlex.quote(f"{name}: {value}")]
    words += ["--data-binary", shlex.quote(filled(options.body, context))] if options.method == "POST" else []
    return " ".join([*words, shlex.quote(url)])


# --- the answer --------------------------------------------------------------------------------------


async def _reading(options: HttpOptions, endpoint: Endpoint, answer: Answer, context: Context) -> Reading:
    asked = questions_of(options)
    notes: list[str] = []
    measures: dict[str, Value] = {
        "status": number(answer.status),
        "latency": seconds(answer.elapsed),
        "size": Number(number(answer.size).value, Unit.BYTES),
    }
    if options.text:
        measures[TEXT] = _text(answer, notes)
    for name, header in options.answer_headers.items():
        said = answer.headers.get(header.lower())
        measures[name] = _header(name, said, header, options, context.present, notes)
    found = Found()
    if asked.any:
        found = await _found(options, asked, endpoint, answer, context)
    told = (Evidence("what could not be read", "\n".join(notes)),) if notes else ()
    return Reading(
        measures={**_masked(measures, endpoint), **_masked(found.measures, endpoint)},
        columns=found.columns,
        rows=tuple(tuple(_clean(cell, endpoint) for cell in row) for row in found.rows),
        label=found.label,
        truncated=found.truncated,
        evidence=(*told, *found.evidence(), _head(answer), *([answer.evidence()] if answer.body else [])),
        command=_line(options, endpoint, answer.url, context),
    )


async def _found(
    options: HttpOptions, asked: Questions, endpoint: Endpoint, answer: Answer, context: Context
) -> Found:
    """Return what the JSON of an answer holds; of one with an error status, nothing where it holds none."""

    def read() -> Found:
        return found_in(parsed(answer.body), asked, context.present)

    try:
        if len(answer.body) < _LARGE:
            return read()
        async with asyncio.timeout(max(_LEAST_SECONDS, context.allowance - answer.elapsed)):
            return await in_thread(f"read JSON {next(_numbers)}", read)
    except JsonError as error:
        if answer.status >= _BAD:
            return Found(measures=unread(asked), notes=(f"status {answer.status} came without that JSON: {error}",))
        kind = f" ({answer.media_type})" if answer.media_type not in {"", "application/json"} else ""
        raise ProbeError(
            "bad-answer",
            f"what {endpoint.name} answers{kind} is not the JSON that is expected: {error}",
            f"see it by hand: {_line(options, endpoint, answer.url, context)}",
            (_head(answer), answer.evidence()),
        ) from None
    except TimeoutError:
        raise ProbeError(
            "timeout",
            f"the answer of {endpoint.name} could not be searched within {context.allowance:.3g} s",
            "ask for less, or by plainer paths",
        ) from None


def _text(answer: Answer, notes: list[str]) -> Value:
    try:
        text = answer.body.decode("utf-8-sig")
    except UnicodeDecodeError:
        notes.append("text: the answer is no UTF-8")
        return None
    if "\0" in text or len(text) > MAX_TEXT:
        notes.append(
            "text: the answer is no text" if "\0" in text else f"text: it has more than {MAX_TEXT:,} characters"
        )
        return None
    return text.removesuffix("\n")


def _header(
    name: str, said: str | None, header: str, options: HttpOptions, now: dt.datetime, notes: list[str]
) -> Value:
    if said is None:
        notes.append(f"{name}: the answer has no header '{header}'")
        return None
    scale = scale_of(options.units[name]) if name in options.units else None
    try:
        return value_of(said, scale, now if name in options.ages else None, options.timezone)
    except ValueError as error:
        notes.append(f"{name}: {error}")
        return None


def _head(answer: Answer) -> Evidence:
    """Return the status and the headers, cookies masked."""
    lines = [f"{name}: {value[:500]}" for name, value in list(answer.headers.items())[:50]]
    return Evidence("head", redacted("\n".join([f"status {answer.status} from {answer.url[:500]}", *lines])))


def _masked(measures: Mapping[str, Value], endpoint: Endpoint) -> dict[str, Value]:
    return {name: _clean(value, endpoint) for name, value in measures.items()}


def _clean(value: Value, endpoint: Endpoint) -> Value:
    """Return a value without a secret that was sent, which JSON may have spelt in another way."""
    return redacted(value, endpoint.secrets) if isinstance(value, str) and endpoint.secrets else value


# --- the certificate ---------------------------------------------------------------------------------


def _untrusted(options: HttpOptions, endpoint: Endpoint) -> Reading:
    """Return what is known where no request was sent."""
    measures: dict[str, Value] = dict.fromkeys((*ALWAYS, *unread(questions_of(options))))
    measures |= dict.fromkeys([*options.answer_headers, *([TEXT] if options.text else [])])
    parts = urllib.parse.urlsplit(endpoint.base)
    host = str(parts.hostname)
    where = f"[{host}]:{parts.port or 443}" if ":" in host else f"{host}:{parts.port or 443}"
    words = ["openssl", "s_client", "-connect", where, "-servername", host, "-showcerts"]
    return Reading(measures=measures, command=f"{shlex.join(words)} </dev/null")


def _with_certificate(reading: Reading, seen: _tls.Presented, context: Context, *, distrust: str = "") -> Reading:
    own, first_end = seen.certificates[0], seen.first_end
    measures: dict[str, Value] = {
        "certificate_left": seconds((own.ends_at - context.now).total_seconds()),
        "chain_left": None if first_end is None else seconds((first_end - context.now).total_seconds()),
        "trusted": not distrust,
        "distrust": distrust or "none",
        "issuer": own.issuer,
    }
    trust = f"It is not trusted: {distrust}. No request was sent." if distrust else "It is trusted."
    return msgspec.structs.replace(
        reading,
        measures={**reading.measures, **measures},
        evidence=(Evidence("certificates", "\n".join([trust, *seen.lines(context.now)])), *reading.evidence),
    )


# --- the kind ----------------------------------------------------------------------------------------


KIND = ProbeKind(
    name="http",
    summary="Asks a server over HTTP, and measures status, time, text, JSON by path, headers and certificate.",
    options=HttpOptions,
    subjects=subjects_of,
    open=HttpProbe,
    server=lane_of,
    validate=option_problems,
    sources=("http",),
)
