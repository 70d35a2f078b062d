"""nginx as the load balancer before several servers: each request goes to the next server."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from support import WAIT
from support.client import Http1, until
from support.commands import hold_port

needs_nginx = pytest.mark.skipif(
    shutil.which("nginx") is None,
    reason="nginx is not installed (Debian: apt-get install nginx-light)",
)
_CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/errors;
events {{}}
http {{
  access_log off;
  client_max_body_size 64m;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream servers {{ {servers} keepalive 16; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://servers;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_buffering off;
      proxy_request_buffering off;
      proxy_next_upstream error;
      proxy_next_upstream_tries 2;
    }}
  }}
}}
"""


@contextmanager
def balance(urls: Sequence[str], folder: Path) -> Iterator[str]:
    """Serve the address of a load balancer before the servers."""
    servers = " ".join(f"server {url.partition('://')[2]};" for url in urls)
    with hold_port() as port:
        file = folder / "nginx.conf"
        file.write_text(_CONFIGURATION.format(folder=folder, servers=servers, port=port))
        process = subprocess.Popen(["nginx", "-c", str(file), "-e", str(folder / "errors")])
        url = f"http://127.0.0.1:{port}"
        try:
            until(lambda: process.poll() is not None or _answers(url))
            assert process.poll() is None, (folder / "errors").read_text()
            yield url
        finally:
            process.kill()
            process.wait(WAIT)


def _answers(url: str) -> bool:
    try:
        with Http1(url) as client:
            return client.request("GET", "/_bedtape/live").status == 200
    except OSError:
        return False
