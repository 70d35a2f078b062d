"""The file for `mitmdump -s`: the addon for users who run mitmproxy themselves.

It is alone in its folder because mitmproxy adds a script's folder to sys.path permanently.
"""

from __future__ import annotations

import logging
import os
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

from mitmproxy import ctx
from mitmproxy.addonmanager import Loader
from mitmproxy.exceptions import OptionsError
from mitmproxy.http import HTTPFlow

from bedtape_cassettes.admission import Admission
from bedtape_cassettes.config.files import read_settings
from bedtape_cassettes.config.kinds import SwitchKind, WholeNumberKind
from bedtape_cassettes.config.options import TABLES, Option
from bedtape_cassettes.errors import CassetteError, ConfigInvalid
from bedtape_recorder.addon import Addon, make_refusal
from bedtape_recorder.credentials import Credentials
from bedtape_recorder.errors import RecorderError
from bedtape_recorder.proxies import Proxies, read_proxies
from bedtape_recorder.recording_files import RecordingFiles, render_summary
from bedtape_recorder.settings import DEFAULTS, check_gate, read_script_settings

# mitmproxy has options of its own for where it listens, and a script verifies nothing.
_LEFT_OUT = frozenset(
    {"mode", "port", "print-addon", "verify"}
    | {"accept", "allow-list", "budget", "concurrency", "format", "operation", "sample", "select"}
)
_DEFAULTS = {"to": str(DEFAULTS.folder), "record": DEFAULTS.record, "read-on": DEFAULTS.read_on}
_OPTIONS = {key: option for key, option in TABLES["record"].items() if key not in _LEFT_OUT}


def _add_option(loader: Loader, key: str, option: Option, value: Any) -> None:
    """Add the option `key` of `bedtape record`. value: the project's setting, or `None`."""
    value = _DEFAULTS.get(key) if value is None else value
    kind: Any = Optional[str]  # noqa: UP045 - mitmproxy accepts no other form
    if option.many:
        kind, value = Sequence[str], list(value or ())
    elif isinstance(option.kind, SwitchKind):
        kind, value = bool, bool(value)
    elif isinstance(option.kind, WholeNumberKind):
        kind = int
    elif value is not None:
        kind, value = (str if key in _DEFAULTS else kind), str(value)
    loader.add_option(
        f"bedtape_{key.replace('-', '_')}", kind, value, f"Like --{key} of bedtape record."
    )


class Script(Addon):
    """The addon for users who run mitmproxy: `mitmdump -s "$(bedtape record --print-addon)"`.

    Its settings are those of `bedtape record`, from variables and the settings file. mitmproxy's
    options change them: `--set bedtape_to=cassettes --set bedtape_redact=PATTERN`.
    """

    def __init__(self) -> None:
        self._files: RecordingFiles | None = None
        self._problem = "this recorder did not start; its log contains the reason"
        self.settings = DEFAULTS
        self.proxies = Proxies()

    def load(self, loader: Loader) -> None:
        """Adds the options of `bedtape record`. The project's settings are their defaults.

        Connections to the upstream are opened for their first request, as in `bedtape record`.
        """
        ctx.options.update(connection_strategy="lazy")
        values: dict[str, Any] = {}
        try:
            values = read_settings(Path.cwd(), os.environ, here=Path.cwd()).of("record")
        except ConfigInvalid as error:
            self._problem = str(error)
        for key, option in _OPTIONS.items():
            _add_option(loader, key, option, values.get(key))
        loader.add_option(
            "bedtape_prefix",
            str,
            secrets.token_hex(16),
            "First part of the path of requests to sign.",
        )

    def configure(self, updated: set[str]) -> None:  # noqa: ARG002 - checks every option
        for name in ("stream_large_bodies", "body_size_limit"):
            if getattr(ctx.options, name):
                raise OptionsError(f"bedtape records whole bodies: take --set {name} out")
        if ctx.options.connection_strategy != "lazy":
            raise OptionsError(
                "bedtape needs connection_strategy=lazy, or failed connections go unseen"
            )

    def running(self) -> None:
        """Starts to record. Logs one line if it cannot, and then refuses every request."""
        try:
            self._start()
        except (RecorderError, CassetteError, OSError) as error:
            self._problem = f"expected to record, found: {error}"
            logging.getLogger("bedtape.record").error("bedtape: %s", error)

    def _start(self) -> None:
        check_gate(os.environ)
        signs = any(mode.startswith("reverse") for mode in ctx.options.mode)
        names = [key.replace("-", "_") for key in _OPTIONS]
        settings = read_script_settings(
            {name: getattr(ctx.options, f"bedtape_{name}") for name in names}
        )
        if self._problem.startswith("expected"):
            raise RecorderError(self._problem)
        signer = (
            Credentials(settings.profile, settings.region, os.environ, settings.upstream)
            if signs
            else None
        )
        files = RecordingFiles(settings, os.environ)
        super().__init__(
            settings,
            files.journal.capture,
            signer,
            files.existing.play,
            read_proxies(os.environ),
            ctx.options.bedtape_prefix,
            Admission.at("127.0.0.1", settings.allow_host),
        )
        super().running()
        self._files = files
        if signs:
            line = "requests are signed if the endpoint's path is /%s"
            logging.getLogger("bedtape.record").warning(line, ctx.options.bedtape_prefix)

    def requestheaders(self, flow: HTTPFlow) -> None:
        if self._files is None:
            flow.response = make_refusal(RecorderError(self._problem))
        else:
            super().requestheaders(flow)

    def done(self) -> None:
        """Writes the cassettes and prints the summary."""
        if self._files is None:
            return
        super().done()
        try:
            lines = [render_summary(self._files.write(prune=self.settings.prune))]
        except (CassetteError, OSError) as error:
            journal = self._files.journal.path
            lines = [
                f"bedtape: {error}",
                f"bedtape: the journal is kept: {journal}; then bedtape recover",
            ]
        if failure := self.capture.describe_failure():
            lines.append(f"bedtape: {failure}")
        sys.stderr.write("\n".join([*lines, ""]))  # mitmproxy's log has ended by now


addons = [Script()]
