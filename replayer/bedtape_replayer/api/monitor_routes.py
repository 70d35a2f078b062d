"""The routes by which a machine watches the server: liveness, readiness and metrics.

Liveness and readiness need no token, because a container platform and a load balancer have none.
"""

from __future__ import annotations

import re
from typing import Final

from bedtape_cassettes.model import JsonValue
from bedtape_replayer.answering.reply import Reply, build_own_reply
from bedtape_replayer.api.route import ApiRequest, NoSuch, Route, RouteError
from bedtape_replayer.api.schemas import LIVE, READY

# The paths of the liveness and the readiness, and the paths that are answered without a session.
PROBE: Final = re.compile(r"/_bedtape/(?:live|ready)(?:\?|$)")
LOCAL: Final = re.compile(r"/_bedtape/(?:live|ready|metrics)(?:\?|$)")
# The path whose answer depends on whether the state server answers now.
CHECKED: Final = re.compile(r"/_bedtape/ready(?:\?|$)")
# The text format of Prometheus.
MEDIA: Final = "text/plain; version=0.0.4; charset=utf-8"


def _live(request: ApiRequest) -> JsonValue:  # noqa: ARG001 - the same for every request
    return {"status": "live"}


def _ready(request: ApiRequest) -> JsonValue:
    if problems := list(request.engine.problems.values()):
        raise RouteError(503, {"error": "; ".join(problems)})
    return {"status": "ready"}


def _measure(request: ApiRequest) -> Reply:
    if request.engine.render_metrics is None:
        raise NoSuch("this server counts nothing; bedtape replay has metrics")
    text = request.engine.render_metrics()
    return build_own_reply(
        200, text.encode(), (b"Cache-Control", b"no-store"), first=(b"Content-Type", MEDIA.encode())
    )


ROUTES = (
    Route(
        "GET",
        "/_bedtape/live",
        _live,
        "Whether the process answers. It asks no state server.",
        LIVE,
        name="live",
    ),
    Route(
        "GET",
        "/_bedtape/ready",
        _ready,
        "Whether calls should come here: 503 while the server ends or no state server answers.",
        READY,
        name="ready",
    ),
    Route(
        "GET",
        "/_bedtape/metrics",
        _measure,
        "The metrics of the namespace or the server, in the text format of Prometheus.",
        {"type": "string"},
        name="metrics",
        media=MEDIA,
    ),
)
