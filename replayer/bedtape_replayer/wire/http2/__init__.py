"""HTTP/2 for a server over cleartext with prior knowledge (RFC 9113), sans-io.

`reader` splits bytes into frames, `headers` encodes and decodes HPACK, `connection` is the state
machine, `requests` and `responses` are its halves, `writer` frames queued bytes as the windows
allow, and `floods` limits frames that cost the server work. The package opens no socket and reads
no clock.
"""

from bedtape_replayer.wire.http2.connection import Http2Connection
from bedtape_replayer.wire.http2.frames import PREFACE

__all__ = ["PREFACE", "Http2Connection"]
