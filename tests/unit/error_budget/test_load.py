# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import http.server
import threading
import time

from ansible_collections.siteops.webcluster.tests.error_budget.load import Answer, Load, milliseconds


def test_a_share_of_the_requests_took_no_longer() -> None:
    answers = [Answer("read", 0.0, seconds / 1000, 200) for seconds in range(100, 0, -1)]
    assert (milliseconds(answers, 0.5), milliseconds(answers, 0.99), milliseconds(answers, 1)) == (51, 100, 100)
    assert milliseconds([], 0.5) == 0


def test_a_load_asks_by_the_name_that_it_is_given() -> None:
    seen: set[str] = set()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.add(self.headers["Host"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Keep the test's output clean."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with Load(f"127.0.0.1:{server.server_port}", reads=50, writes=0, host="shop.example") as load:
            time.sleep(0.1)
        server.shutdown()
    assert seen == {"shop.example"}
    assert all(answer.good for answer in load.answers)
