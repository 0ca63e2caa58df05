"""A food store with nothing but Python's own library.

GET /food lists what there is, GET /health says whether the store is open.
With --check it exits with 0 if the store in this container answers.
"""

import json
import os
import pathlib
import signal
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = int(os.environ.get("PORT", "8080"))
FOOD = json.loads((pathlib.Path(__file__).parent / "food.json").read_text())


def answer(path: str) -> tuple[int, object]:
    match path:
        case "/health":
            return 200, {"status": "ok"}
        case "/food":
            return 200, {"currency": os.environ.get("CURRENCY", "USD"), "food": FOOD}
        case _:
            return 404, {"error": f"nothing at {path}"}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        status, body = answer(self.path)
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def serve():
    server = ThreadingHTTPServer(("", PORT), Handler)
    # shutdown waits for the loop that this signal interrupts, hence the thread
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"listening on {PORT}")
    server.serve_forever()


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health", timeout=2).close()
    else:
        serve()
