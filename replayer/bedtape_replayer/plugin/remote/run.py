"""The run of one process whose sessions are on a server that runs already."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from urllib.parse import urlsplit

from bedtape_cassettes.addresses import split_prefixes
from bedtape_cassettes.model import Interaction
from bedtape_replayer.answering.call import Call
from bedtape_replayer.plugin.bedrock import Bedrock
from bedtape_replayer.plugin.blocking import redirect
from bedtape_replayer.plugin.marks import PlayRequest
from bedtape_replayer.plugin.remote.server import RemoteServer
from bedtape_replayer.plugin.remote.session import RemoteBedrock, mark_url
from bedtape_replayer.plugin.run import Run
from bedtape_replayer.plugin.settings import RunSettings
from bedtape_replayer.server.control_client import ControlClient, ControlError


class RemoteRun(Run):
    """The run of one process whose server is in another process.

    Raises ControlError if the server does not answer, refuses the token, or has another version.
    """

    def __init__(self, settings: RunSettings, here: Path) -> None:
        super().__init__(settings, here)
        # No other run and no other worker has sessions with these names.
        self._suffix = token_hex(4)

    def _start_server(self) -> RemoteServer:
        settings = self._settings
        assert settings.url is not None
        self._client = ControlClient(settings.url, settings.token)
        self._client.check()
        self._remote = RemoteServer(self._client)
        return self._remote

    def _make_session(self, play_request: PlayRequest, name: str) -> Bedrock:
        name = f"{name} {self._suffix}"
        return RemoteBedrock(play_request, self._remote, self._here, name)

    def close(self) -> None:
        """End the run. Remove the sessions of tests that Ctrl-C has interrupted from the server."""
        for bedrock in self._open:
            with suppress(ControlError):  # the server has gone, and its sessions with it
                self._close(bedrock)
        super().close()

    def _pair_misses(self, bedrock: Bedrock) -> list[tuple[Interaction, Call]]:  # noqa: ARG002
        return []

    def route(self, url: str) -> str:
        """Return the URL for a request: the current test's, for Bedrock, for a client that has the
        endpoint of the environment, and for a client of a test that has ended.
        """
        current = self._current
        if current is None:
            return url
        names_environment = mark_url(self._suffix) + "/" in url
        own = [self._server.url] if names_environment or self.is_of_ended_test(url) else []
        return redirect(url, current.url, own)

    def is_of_ended_test(self, url: str) -> bool:
        """Whether the URL is the endpoint of a test that has ended."""
        if not self.is_own(url):
            return False
        path = urlsplit(url).path.removeprefix(urlsplit(self._server.url).path)
        name = split_prefixes(path)[0]
        return name in self._names and name not in self._playing

    def headers_for(self, url: str) -> Mapping[str, str]:
        """Return the token, if botocore sends a request to the server."""
        token = self._client.token
        return {"x-bedtape-token": token} if token and self.is_own(url) else {}
