"""HTTP/2 for a server over cleartext with prior knowledge (RFC 9113), sans-io.

`reader` cuts bytes into frames, `headers` speaks HPACK, `connection` is the state machine, `writer` frames what is
queued as the windows let it, `floods` counts what a peer may not do for ever. Nothing here opens a socket or looks
at a clock.
"""

from bedtape_replayer.wire.http2.connection import Http2Connection
from bedtape_replayer.wire.http2.frames import PREFACE

__all__ = ["PREFACE", "Http2Connection"]
