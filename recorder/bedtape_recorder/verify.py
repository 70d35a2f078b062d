"""Sends recorded requests to the real service again, in their own regions, several at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Lock

from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session
from urllib3.exceptions import HTTPError

from bedtape_cassettes.addresses import DEFAULT_SESSION
from bedtape_cassettes.families.usage import read_usage
from bedtape_cassettes.format import journal
from bedtape_cassettes.matching.normalise import keep_request_headers
from bedtape_cassettes.model import Interaction, Request
from bedtape_cassettes.operations import choose_service
from bedtape_recorder.capture import Capture
from bedtape_recorder.credentials import Credentials, check_transport
from bedtape_recorder.drift.comparison import find_drifts
from bedtape_recorder.drift.findings import Verdict
from bedtape_recorder.drift.plan import BUSY, Plan, choose, find_skip_reason
from bedtape_recorder.errors import RecorderError
from bedtape_recorder.finish import build_cassettes, read_exchanges
from bedtape_recorder.proxies import CompanyProxy, Proxies, read_proxies
from bedtape_recorder.routing import Route
from bedtape_recorder.settings import Settings, check_gate

# Seconds to connect and between two reads. A long answer may send nothing for minutes.
_TIMEOUT = (60, 3600)
_PIECE = 65_536


def verify(
    settings: Settings,
    environ: Mapping[str, str],
    report: Callable[[str], object] = print,
    plan: Plan | None = None,
) -> Iterator[Verdict]:
    """Sends the recorded requests that the plan chooses again, and yields one verdict
    per interaction, in order.

    report: is called with one line, before anything is sent: where to, and with which credentials.
    If `settings.name` is set, reads that cassette. Raises RecorderError or CassetteError.
    """
    check_gate(environ)
    plan = plan or Plan()
    chosen = choose(settings.folder, settings.name, plan)
    credentials = Credentials(settings.profile, settings.region, environ, settings.upstream)
    report(f"sending to {credentials.describe(settings.upstream)}")
    sessions = _Sessions(read_proxies(environ), environ.get("AWS_CA_BUNDLE"))
    return _Sender(settings, plan, credentials, sessions).send_all(chosen)


class _Sessions:
    """Open HTTP sessions: one for direct connections and one for each proxy."""

    def __init__(self, proxies: Proxies, bundle: str | None) -> None:
        self._proxies = proxies
        self._bundle = bundle
        self._open: dict[CompanyProxy | None, URLLib3Session] = {}

    def find(self, scheme: str, host: str, port: int) -> URLLib3Session:
        """Returns the HTTP session for a host."""
        proxy = self._proxies.find_proxy(scheme, host, port)
        if proxy not in self._open:
            through = {scheme: proxy.url} if proxy else {}
            self._open[proxy] = URLLib3Session(
                verify=self._bundle or True,  # type: ignore[arg-type]  # accepts a path
                proxies=through,
                timeout=_TIMEOUT,  # type: ignore[arg-type]  # accepts a pair
            )
        return self._open[proxy]


class _Sender:
    """Sends requests, and counts the tokens of their answers."""

    def __init__(
        self, settings: Settings, plan: Plan, credentials: Credentials, sessions: _Sessions
    ) -> None:
        self._settings = settings
        self._plan = plan
        self._credentials = credentials
        self._sessions = sessions
        self._lock = Lock()
        self._tokens = 0

    def send_all(self, interactions: Iterable[Interaction]) -> Iterator[Verdict]:
        """Yields the verdicts in the order of the interactions."""
        with ThreadPoolExecutor(self._plan.concurrency) as pool:
            yield from pool.map(self._check, interactions)

    def _check(self, interaction: Interaction) -> Verdict:
        if why := find_skip_reason(interaction, self._plan.operations):
            return Verdict(interaction.file, (), why)
        expected = _count_tokens(interaction)
        if not self._reserve(expected):
            return Verdict(
                interaction.file, (), f"the budget of {self._plan.budget} tokens is used up"
            )
        try:
            now = self._repeat(interaction)
        except RecorderError as error:  # continue with the other interactions
            self._add(-expected)
            return Verdict(interaction.file, (), str(error))
        tokens = _count_tokens(now)
        self._add(tokens - expected)
        if now.response.status in BUSY:
            return Verdict(interaction.file, (), f"Bedrock is busy: {now.response.status}")
        return Verdict(
            interaction.file, tuple(find_drifts(interaction, now)), tokens=tokens, now=now
        )

    def _reserve(self, tokens: int) -> bool:
        """Whether the budget has the tokens of the recorded answer. A new one may take more."""
        with self._lock:
            if self._plan.budget is not None and self._tokens + tokens > self._plan.budget:
                return False
            self._tokens += tokens
            return True

    def _add(self, tokens: int) -> None:
        with self._lock:
            self._tokens += tokens

    def _repeat(self, interaction: Interaction) -> Interaction:
        """Returns the interaction with the new answer, captured as in a recording."""
        request, written = interaction.request, bytearray()
        capture = Capture(
            written.extend,
            time.monotonic,
            exact=interaction.exact,
            redaction=self._settings.redaction,
        )
        capture.keep_out(self._credentials.secrets)
        service = choose_service(request.method, request.path, interaction.service)
        number = capture.add_request(
            DEFAULT_SESSION,
            request.method,
            request.path,
            request.headers,
            request.body.data,
            region=interaction.region,
            service=service,
        )
        answer = self._send(request, service, interaction.region or self._credentials.region)
        capture.add_head(number, answer.status_code, tuple(answer.headers.items()))
        capture.end(number, _read(answer, lambda data: capture.add_chunk(number, data)))
        opened, exchanges = read_exchanges(journal.read(bytes(written), interaction.file))
        assert opened is not None
        (recorded,), _ = build_cassettes(opened, exchanges)
        (now,) = recorded.cassette.interactions
        return replace(now, request=request, file=interaction.file, operation=interaction.operation)

    def _send(self, request: Request, service: str, region: str) -> AWSResponse:
        """Returns the answer, whose body is not read."""
        credentials, settings = self._credentials, self._settings
        route = Route(DEFAULT_SESSION, service, region, request.path, credentials.fips)
        kept = keep_request_headers(request.headers)  # without an old signature
        signed = credentials.sign_headers(
            route, request.method, request.path, kept, request.body.data
        )
        scheme, host, port = settings.upstream or ("https", route.host, 443)
        check_transport(tuple(signed.items()), scheme, host)
        headers = HeadersDict()
        for name, value in {
            **dict(kept),
            **signed,
            "Host": route.host,
            "Accept-Encoding": "identity",
        }.items():
            headers[name] = value
        url = f"{scheme}://{host}:{port}{request.path}"
        body = request.body.data
        sent = AWSPreparedRequest(
            request.method,
            url,
            headers,  # type: ignore[arg-type]  # botocore passes the same type
            body,
            stream_output=True,
        )
        try:
            return self._sessions.find(scheme, host, port).send(sent)
        except (BotoCoreError, UnicodeError) as error:
            # UnicodeError: botocore requires ASCII proxy passwords
            raise RecorderError(f"{request.path} could not be sent again: {error}") from None


def _count_tokens(interaction: Interaction) -> int:
    usage = read_usage(interaction.operation, interaction.model, interaction.response)
    return usage.total if usage else 0


def _read(answer: AWSResponse, add: Callable[[bytes], object]) -> str | None:
    """Reads the body to its end. Returns how the service ended it early, or None."""
    length, size = answer.headers.get("content-length"), 0
    try:
        for data in answer.raw.stream(_PIECE):
            size += len(data)
            add(data)
    except (HTTPError, OSError) as error:
        return journal.RESET if "reset" in str(error).lower() else journal.CLOSED
    return (
        journal.CLOSED if length is not None and length.isdecimal() and size < int(length) else None
    )
