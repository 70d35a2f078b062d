"""Runs `bedtape record` beside the tests, for one folder of cassettes.

It has the real credentials; the tests have none.

It is a separate process, because the recorder imports packages that replay must not import.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

# The caller passes these options itself, or they make no sense: each session has its own cassette,
# and the recorder must print the endpoint variables.
OWN_OPTIONS = ("to", "name", "mode", "record", "prune", "port", "verify", "print-addon")
_URL = "export AWS_ENDPOINT_URL_BEDROCK_RUNTIME="
_COUNT = re.compile(r"recorded (\d+) interactions?\b")
_BEGINS = re.compile(r"^bedtape: recording;.*\n", re.MULTILINE)


class RecordingError(Exception):
    """The recorder did not start, in its own words."""


class Recording:
    """Runs from now on. command: that records. mode: as `--record`. environ:
    with the real credentials.

    Raises RecordingError.
    """

    def __init__(
        self, command: Sequence[str], folder: Path, mode: str, environ: Mapping[str, str]
    ) -> None:
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen(  # noqa: S603 - ours, or what the user's config names
                [*command, "--to", str(folder), "--record", mode],
                env=environ,
                stdout=pipe,
                stderr=pipe,
                text=True,
            )
        except OSError as error:
            raise RecordingError(
                f"cannot run {command[0]}: {error.strerror}; fix the setting `record`, or"
                " bedtape_record"
            ) from None
        self.url = self._read_url()

    def _read_url(self) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(_URL):
                return line.removeprefix(_URL).strip()
        _, output = self._process.communicate()
        raise RecordingError(
            output.strip()
            or f"bedtape record ended with {self._process.returncode}, without a message"
        )

    def stop(self) -> tuple[str, int, bool]:
        """Has it write its cassettes; what it says, how many interactions it recorded,
        and whether all went well.

        Ctrl-C has reached it too, and it may have ended already.
        """
        if self._process.poll() is None:
            self._process.terminate()
        _, output = self._process.communicate()
        output = _BEGINS.sub("", output)  # how to end it, for a person before a terminal
        count = _COUNT.search(output)
        return output.strip(), int(count[1]) if count else 0, self._process.returncode == 0
