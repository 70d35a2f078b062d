"""The option `--upstream` of `bedtape replay`: another server, or a recorder that asks
real Bedrock and records.

The recorder is a process of its own, because it has the credentials and signs. It checks the gate.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bedtape_cassettes.cli.errors import fail, report
from bedtape_cassettes.config.options import variable_of
from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.matching.key import MatchRules
from bedtape_cassettes.matching.rules import render_arguments
from bedtape_replayer.plugin.recording import OWN_OPTIONS, Recording, RecordingError

BEDROCK = "bedrock"
_COMMAND = (sys.executable, "-c", "from bedtape_cassettes.cli.main import main; main()", "record")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def check_upstream(upstream: str | None, host: str, *, capture: bool) -> None:
    """Raises CassetteError for an invalid URL, and for a recorder that other machines could use."""
    if upstream not in (None, BEDROCK) and not str(upstream).startswith(("http://", "https://")):
        raise CassetteError(
            "--upstream: expected bedrock, or a URL such as http://127.0.0.1:4567, found"
            f" {upstream}"
        )
    if capture and upstream is None:
        raise CassetteError(
            "--capture: expected a server to ask, found none; add --upstream bedrock or a URL"
        )
    if (capture or upstream == BEDROCK) and host not in _LOOPBACK:
        raise CassetteError(
            "--host: expected loopback, because calls are signed with your credentials, found"
            f" {host}; remove --host"
        )


@contextmanager
def open_upstream(
    upstream: str | None, folder: Path, rules: MatchRules, *, capture: bool
) -> Iterator[str | None]:
    """Yields the URL of the server to ask; None without one.

    At the end, a recorder writes what it captured.

    folder: the cassettes to capture into. Ends the command if the recorder does
    not start, or cannot write.
    """
    if not capture and upstream != BEDROCK:
        yield upstream
        return
    with tempfile.TemporaryDirectory(prefix="bedtape-") as unused:
        command = [*_COMMAND, *render_arguments(rules)]
        if upstream != BEDROCK:
            command += ["--upstream", str(upstream)]
        environ = {**os.environ, **{variable_of(("record", key)): "" for key in OWN_OPTIONS}}
        try:
            recording = Recording(command, folder if capture else Path(unused), "all", environ)
        except RecordingError as error:
            fail(str(error).removeprefix("bedtape: "))
        where = "Amazon Bedrock" if upstream == BEDROCK else upstream
        report(
            f"calls that nothing else answers go to {where}"
            + (f", into {folder}" if capture else "")
        )
        well = True
        try:
            yield recording.url
        finally:
            message, _, well = recording.stop()
            if capture or not well:
                report(message, prefix="")
    if not well:
        fail("the recorder did not end well; its reason is above")
