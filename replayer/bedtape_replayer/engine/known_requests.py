"""What was found out about requests that came more than once."""

from __future__ import annotations

from bedtape_replayer.answering.call import Call, Findings, RequestParts
from bedtape_replayer.answering.memo import Memo
from bedtape_replayer.answering.memory import Memory

# What was found out about requests is cached by request: twice the size of the
# request, and Python's objects.
_BYTES = 32 * 1024 * 1024
_LARGEST = 128 * 1024
_OVERHEAD = 1024


class KnownRequests:
    """The findings of requests, and their bodies, which a history keeps thousands of times.

    Findings are kept when a request comes for the second time, because many never do. memory:
    counts them.
    """

    def __init__(self, memory: Memory) -> None:
        self.findings: Memo[RequestParts, Findings] = Memo(memory.share(_BYTES), _LARGEST, memory)
        # The hashes of the requests that came. With an equal hash, findings are kept too early.
        self._seen: Memo[int, None] = Memo(memory.share(_BYTES), memory=memory)

    def share(self, call: Call) -> bool:
        """Use what was found out about an equal request. Return whether that was kept."""
        request = call.request
        findings = self.findings.get(request)
        if findings is not None:
            call.share(findings)
            return True
        if (digest := hash(request)) in self._seen:
            call.findings.seen = True
            self.findings.keep(request, call.findings, 2 * call.request_size + _OVERHEAD)
        else:
            self._seen.keep(digest, None, 0)
        return False

    def clear(self) -> None:
        """Forget all requests."""
        self.findings.clear()
        self._seen.clear()
