# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for a web server, and for the status service of a MySQL server, whose role is a file below /run/status."""

from __future__ import annotations

import http.server
import json
import pathlib
import socket
import threading
import time


class Stub(http.server.BaseHTTPRequestHandler):
    """Answers with its host name and the headers it got; healthy unless /run/unhealthy is there.

    /wait/<seconds> takes that long, and leaves a line in /run/begun.
    """

    protocol_version = "HTTP/1.1"
    # Head and body go out in one packet.
    wbufsize = -1

    def do_GET(self) -> None:
        sick = self.path == "/healthz" and pathlib.Path("/run/unhealthy").exists()
        status = 503 if sick else 404 if self.path == "/metrics" else 200
        if self.path in ("/primary", "/replica"):
            status = 200 if pathlib.Path(f"/run/status{self.path}").exists() else 503
        if self.path.startswith("/wait/"):
            with pathlib.Path("/run/begun").open("a", encoding="utf-8") as begun:
                begun.write(f"{self.path}\n")
            time.sleep(float(self.path.rpartition("/")[2]))
        body = json.dumps({"host": socket.gethostname(), "headers": list(self.headers.items())}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Keep the journal for HAProxy's lines."""


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


if __name__ == "__main__":
    threading.Thread(target=Server(("", 9200), Stub).serve_forever, daemon=True).start()
    Server(("", 80), Stub).serve_forever()
