"""A proxy that does to HTTP requests and answers what a bad line does."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from urllib.parse import urlsplit


@dataclass
class Line:
    """Where the proxy listens, and what it is still to do wrong."""

    endpoint: str
    lose_answers: int = 0  # of PUT and POST: the server has done it, the client never hears of it
    cut_answers: int = 0  # of GET: half of the body, then nothing
    alter: Callable[[bytes], bytes] | None = None  # what becomes of the body of each PUT
    lost: int = 0
    cut: int = 0


@contextmanager
def lossy(endpoint: str) -> Iterator[Line]:
    """Put a line before the server at ``endpoint`` for as long as the with statement lasts."""
    counting = Lock()  # the parts of an upload come at the same time

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if line.alter is not None and self.command == "PUT":
                body = line.alter(body)
            upstream = HTTPConnection(urlsplit(endpoint).netloc)
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in ("expect", "content-length"):
                    upstream.putheader(name, value)
            upstream.putheader("Content-Length", str(len(body)))
            upstream.endheaders(body)
            answer = upstream.getresponse()
            self.close_connection = True
            found = answer.read()
            with counting:
                is_lost = line.lose_answers > 0 and self.command in ("PUT", "POST")
                if is_lost:
                    line.lose_answers, line.lost = line.lose_answers - 1, line.lost + 1
            if is_lost:
                return
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                    self.send_header(name, value)
            length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(found))
            self.send_header("Content-Length", length or "0")
            self.send_header("Connection", "close")
            self.end_headers()
            with counting:
                is_cut = line.cut_answers > 0 and self.command == "GET" and len(found) > 1
                if is_cut:
                    line.cut_answers, line.cut = line.cut_answers - 1, line.cut + 1
            if is_cut:
                found = found[: len(found) // 2]
            self.wfile.write(found)

        def __getattr__(self, name: str) -> Callable[[], None]:
            if name.startswith("do_"):  # how http.server looks for the one that answers a method
                return self.pass_on
            raise AttributeError(name)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: a test that fails says enough."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        line = Line(f"http://127.0.0.1:{server.server_port}")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield line
        finally:
            server.shutdown()
            thread.join()
