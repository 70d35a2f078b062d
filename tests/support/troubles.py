"""What can go wrong with a call, as the faults of one test."""

from bedtape_replayer.overlay.keywords import FaultDict

TROUBLES: dict[str, list[FaultDict]] = {
    "throttled": [{"error": "ThrottlingException", "times": 2}],
    "told to wait": [{"error": "ThrottlingException", "times": 1, "retry_after_ms": 800}],
    "unavailable": [{"error": "ServiceUnavailableException", "times": 1}],
    "timed out": [{"error": "ModelTimeoutException", "times": 1}],
    "broken": [{"error": "InternalServerException", "times": 1}],
    "refused, then throttled": [
        {"error": "ValidationException", "times": 1},
        {"error": "ThrottlingException", "times": 1},
    ],
    "throttled in a stream": [{"error": "ThrottlingException", "after_events": 4, "times": 1}],
    "truncated": [{"truncate": {"after_events": 4}, "times": 1}],
    "reset": [{"reset": {"after_events": 4}, "times": 1}],
}
