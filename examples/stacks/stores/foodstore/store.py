"""A food store with nothing but Python's own library.

GET /foodstore/foods lists the food, GET /foodstore/foods/ID one of it. The API passes the
whole path. With --check, it exits with 0 if the store in this container answers.
"""

import json
import pathlib
import signal
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FOODS = json.loads((pathlib.Path(__file__).parent / "food.json").read_text())


def answer(path: str) -> tuple[int, object]:
    match path.strip("/").split("/"):
        case ["health"]:
            return 200, {"status": "ok"}
        case ["foodstore", "foods"]:
            return 200, FOODS
        case ["foodstore", "foods", wanted]:
            for food in FOODS:
                if str(food["id"]) == wanted:
                    return 200, food
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
    server = ThreadingHTTPServer(("", 8080), Handler)
    # shutdown waits for the loop that this signal interrupts, hence the thread
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print("listening on 8080")
    server.serve_forever()


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        urllib.request.urlopen("http://127.0.0.1:8080/health", timeout=2).close()
    else:
        serve()
