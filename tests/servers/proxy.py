"""Stands before a server of objects, counts what is asked, and misbehaves when it is told to.

``POST /.fault`` takes ``{"what": "503" | "slow" | "cut" | "lost", "times": n, "method": "PUT"}``:
the next n requests of that method (or any) are refused; answered late; answered by half of the
object; or done, and not answered. ``GET /.asked`` returns the requests since it was asked last.
"""

import http.client
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HELD = 2.0  # s


class Proxy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    behind = ("127.0.0.1", 0)
    fault = {"what": None, "times": 0, "method": None}
    asked = []
    lock = threading.Lock()

    def log_message(self, *_):
        pass

    def handle_one(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/.fault":
            type(self).fault = json.loads(body)
            return self.answer(200, {}, b"")
        if self.path == "/.asked":
            found, type(self).asked = self.asked, []
            return self.answer(200, {}, json.dumps(found).encode())
        with self.lock:
            self.asked.append([self.command, self.path])
            mine = self.fault.get("method") in (None, self.command) and self.fault["times"] > 0
            if mine:
                self.fault["times"] -= 1
        what = self.fault["what"] if mine else None
        if what == "503":
            return self.answer(503, {}, b"<Error><Code>SlowDown</Code></Error>")
        if what == "slow":
            time.sleep(HELD)
        try:
            server = http.client.HTTPConnection(*self.behind, timeout=30)
            server.request(self.command, self.path, body, dict(self.headers))
            got = server.getresponse()
            content = got.read()
        except OSError:
            self.close_connection = True
            return None
        headers = {k: v for k, v in got.getheaders() if k.lower() not in HOP}
        if what == "lost":
            self.close_connection = True
            return None
        if what == "cut":
            self.close_connection = True
            return self.answer(got.status, headers, content[: len(content) // 2], len(content))
        length = got.getheader("Content-Length") if self.command == "HEAD" else len(content)
        return self.answer(got.status, headers, content, length)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_one

    def answer(self, status, headers, content, length=None):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        try:
            self.wfile.write(content)
        except OSError:
            self.close_connection = True


HOP = {"content-length", "transfer-encoding", "connection", "server", "date"}

if __name__ == "__main__":
    Proxy.behind = ("127.0.0.1", int(sys.argv[1]))
    with ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Proxy) as server:
        print(server.server_port, flush=True)
        server.serve_forever()
