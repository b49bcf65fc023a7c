"""An application server that upload callbacks are sent to."""

import contextlib
import http.server
import threading
from dataclasses import dataclass, field


@dataclass
class Application:
    """Answers every POST with `status` and `answer`; keeps what came."""

    port: int = 0
    status: int = 200
    answer: bytes = b'{"Status":"OK"}'
    seen: list = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/callback?from=oss"


@contextlib.contextmanager
def application():
    """One on a free port of loopback."""
    told = Application()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            told.seen.append((self.path, dict(self.headers.items()), body))
            self.send_response(told.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(told.answer)))
            self.end_headers()
            self.wfile.write(told.answer)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
