# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy in front of Apache and PHP-FPM, all with the roles' files under a real systemd: which requests a kill of Apache costs."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.siteops.webcluster.tests.checkers import need
from ansible_collections.siteops.webcluster.tests.loopback_web import look
from ansible_collections.siteops.webcluster.tests.pretended_hosts import Case, play_role

# Apache is started again when the script says so, and until then the balancer finds it gone.
NO_RESTART = "[Service]\nRestart=no\n"
BALANCER: dict[str, Any] = {
    "haproxy_http_backends": [{"name": "web1", "address": "127.0.0.1"}],
    "haproxy_http_bind_address": "127.0.0.1",
    "haproxy_http_bind_port": 8080,
    "haproxy_http_check_path": "/page.php?name=check",
    "haproxy_https_enabled": False,
    # With one server: there is time for a busy machine to start Apache, and no check takes it out meanwhile.
    "haproxy_http_backend_settings": ["retries 60", "default-server inter 600s fastinter 600s"],
}
# One client's connection that is kept: a read, and a write when it is told so.
KEPT = """
import http.client, os, sys, time
name, wait = sys.argv[1:]
client = http.client.HTTPConnection("127.0.0.1", 8080, timeout=60)
client.request("GET", "/page.php?name=first-" + name)
client.getresponse().read()
open("/tmp/ready-" + name, "w").close()
while not os.path.exists("/tmp/go-" + name):
    time.sleep(0.05)
try:
    client.request("POST", f"/page.php?name={name}&wait={wait}", "x")
    print(client.getresponse().status)
except (OSError, http.client.HTTPException) as error:
    print(type(error).__name__)
"""
SCRIPT = r"""
ask() { curl --silent --max-time 60 --output /dev/null --write-out '%{http_code}' "${@:2}" "http://127.0.0.1:8080/page.php?name=$1"; }
post() { ask "$1" --data x; }
queue() { ss -Hltn 'sport = :80' | awk '{print $2}'; }
kill_apache() { systemctl kill --signal=KILL apache2; wait_for is = 'state apache2' failed; }
start_apache() { systemctl reset-failed apache2; systemctl start apache2; }
cp /given/haproxy.cfg /etc/haproxy/haproxy.cfg; mkdir -p /run/haproxy
systemctl start haproxy || { journalctl --no-pager | tail -n 40 >&2; exit 1; }
say serves "$(post first)"

kill_apache
for kind in get post; do ask "refused-$kind" $(test $kind = post && echo --data x) >"/tmp/refused-$kind" & done; sleep 1
start_apache; wait
for kind in get post; do say "$kind refused" "$(cat /tmp/refused-$kind), begun $(begun refused-$kind)"; done

systemctl kill --signal=STOP apache2
for kind in get post; do ask "queue-$kind" $(test $kind = post && echo --data x) >"/tmp/queue-$kind" & done
wait_for is = queue 2; say queued "$(queue)"
kill_apache; start_apache; wait
for kind in get post; do say "$kind queued" "$(cat /tmp/queue-$kind), begun $(begun queue-$kind)"; done

for kind in get post; do ask "work-$kind&wait=1" $(test $kind = post && echo --data x) >"/tmp/work-$kind" & done
wait_for begun work-get; wait_for begun work-post
kill_apache; start_apache; wait_for is = 'begun work-get' 2; touch /srv/pages/log/go; wait; rm /srv/pages/log/go
for kind in get post; do say "$kind worked at" "$(cat /tmp/work-$kind), begun $(begun work-$kind)"; done

python3 /given/kept.py idle 0 >/tmp/idle & wait_for test -e /tmp/ready-idle
kill_apache; start_apache; touch /tmp/go-idle; wait
say 'post on a kept connection, idle' "$(cat /tmp/idle), begun $(begun idle)"

python3 /given/kept.py busy 1 >/tmp/busy & wait_for test -e /tmp/ready-busy; touch /tmp/go-busy; wait_for begun busy
kill_apache; start_apache; sleep 2; touch /srv/pages/log/go; wait
say 'post on a kept connection, worked at' "$(cat /tmp/busy), begun $(begun busy)"
systemctl stop haproxy
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    need("haproxy")
    config = play_role("haproxy", {"lb": Case(BALANCER)}, tmp_path_factory.mktemp("lb")).file("lb", "haproxy.cfg")
    given = {"haproxy_cfg": config.content, "kept_py": KEPT}
    return look(tmp_path_factory, SCRIPT, {"apache2.service.d/zz-later.conf": NO_RESTART}, **given)


def test_what_comes_while_apache_is_away_waits_and_is_run_once(seen: dict[str, str]) -> None:
    assert seen["serves"] == "200"
    assert (seen["get refused"], seen["post refused"]) == ("200, begun 1", "200, begun 1")


def test_a_client_keeps_its_connection_over_the_kill(seen: dict[str, str]) -> None:
    assert seen["post on a kept connection, idle"] == "200, begun 1"


def test_a_read_is_asked_again_wherever_the_kill_found_it(seen: dict[str, str]) -> None:
    assert seen["get queued"] == "200, begun 1"
    assert seen["get worked at"] == "200, begun 2"


def test_a_write_that_apache_had_not_taken_yet_is_lost_and_never_run(seen: dict[str, str]) -> None:
    # The handshake is the kernel's, so the balancer has sent it and cannot know; Debian's Apache takes no socket from systemd.
    assert seen["queued"] == "2"
    assert seen["post queued"] == "502, begun 0"


def test_a_write_that_php_worked_at_is_lost_and_not_run_again(seen: dict[str, str]) -> None:
    assert seen["post worked at"] == "502, begun 1"
    assert seen["post on a kept connection, worked at"] == "RemoteDisconnected, begun 1"
