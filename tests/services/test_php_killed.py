# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Apache and PHP-FPM with the role's files under a real systemd: what becomes of requests when PHP-FPM is killed, restarted, stopped."""

from __future__ import annotations

import pytest
from ansible_collections.siteops.webcluster.tests.loopback_web import look

# A second is lost on purpose, so that requests certainly come while nobody is there.
SLOW_RESTART = "[Service]\nRestartSec=2s\n"
SCRIPT = r"""
post() { curl --silent --max-time 60 --output /dev/null --write-out '%{http_code}' --data x "http://127.0.0.1/page.php?name=$1$2"; }
waiting() { ss -Hlx src /run/webcluster-php/FPM.sock | awk '{print $3}'; }
main() { systemctl show --property=MainPID --value FPM; }
sockets() { systemctl list-units --plain --no-legend --state=active 'webcluster-FPM@*' | wc -l; }

say serves "$(post first) $(sockets)"
say socket "$(stat -L -c '%F %U %G %a' /run/php/FPM.sock)"

systemctl kill --signal=KILL FPM
for n in 1 2 3; do post "gap$n" >"/tmp/gap$n" & done; sleep 0.5
say 'state in the gap' "$(state FPM)"
wait
say 'while nobody was there' "$(cat /tmp/gap1) $(cat /tmp/gap2) $(cat /tmp/gap3), begun $(begun gap1) $(begun gap2) $(begun gap3)"

systemctl kill --signal=STOP FPM
for n in 1 2 3; do post "queue$n" >"/tmp/queue$n" & done
wait_for is = waiting 3
say 'in the queue before' "$(waiting) $(ls /srv/pages/log | grep -c queue)"
systemctl kill --signal=KILL FPM; wait
say 'in the queue' "$(cat /tmp/queue1) $(cat /tmp/queue2) $(cat /tmp/queue3), begun $(begun queue1) $(begun queue2) $(begun queue3)"

post killed '&wait=1' >/tmp/killed & wait_for begun killed
systemctl kill --signal=KILL FPM; wait
say 'what PHP worked at' "$(cat /tmp/killed), begun $(begun killed)"
wait_for is = 'state FPM' active

(curl --silent --no-buffer --max-time 20 'http://127.0.0.1/page.php?name=half&half=1&wait=1' >/tmp/half; echo "code $?" >>/tmp/half) &
wait_for grep -q '^half' /tmp/half
systemctl kill --signal=KILL FPM; wait
say 'what was half sent' "$(grep -c done /tmp/half) $(grep -c 'code 0' /tmp/half), begun $(begun half)"
wait_for is = 'state FPM' active

post master '&wait=1' >/tmp/master & wait_for begun master
before=$(main); kill -9 "$before"; sleep 0.5; touch /srv/pages/log/go; wait; rm /srv/pages/log/go
say 'when the master alone was killed' "$(cat /tmp/master), begun $(begun master)"
wait_for is = 'state FPM' active

given=/given/php-fpm.conf; sed 's/^\[www\]/[other]/; s/FPM\(-status\)\?.sock/FPM-other\1.sock/' $given >/tmp/other
sed -n '/^\[other\]/,/^\[health\]/p' /tmp/other | sed '$d' >>/etc/php/VERSION/fpm/php-fpm.conf
before=$(main); systemctl reload FPM; wait_for test -S /run/php/FPM-other.sock
say 'a pool that came by reload' "$(stat -c '%F' /run/php/FPM-other.sock) $(post reloaded) $(test "$before" = "$(main)" && echo same)"
sed -i 's/^Sockets=.*/& webcluster-FPM@FPM-other.socket/' /etc/systemd/system/FPM.service.d/sockets.conf
systemctl daemon-reload; systemctl restart FPM
say 'and was started anew' "$(stat -c '%F' /run/php/FPM-other.sock) $(stat -L -c '%F' /run/php/FPM-other.sock) $(sockets) $(post restarted)"

held() { stat -L -c %i /run/php/FPM.sock; }
before=$(held); systemctl reload FPM
say 'after a reload' "$(post reload) $(test "$before" = "$(held)" && echo same)"

sed -i '/^\[other\]/,$d' /etc/php/VERSION/fpm/php-fpm.conf
sed -i 's/ webcluster-FPM@FPM-other.socket//' /etc/systemd/system/FPM.service.d/sockets.conf
systemctl daemon-reload; systemctl reload FPM; wait_for test ! -e /run/php/FPM-other.sock
say 'a pool that went by reload' "$(test -e /run/php/FPM-other.sock || echo gone) $(sockets) $(post removed)"
systemctl kill --signal=KILL FPM
say 'and after a kill' "$(post killedagain) $(test -e /run/php/FPM-other.sock || echo gone) $(sockets)"

rm /etc/systemd/system/FPM.service.d/zz-slow.conf; systemctl daemon-reload
for n in $(seq 8); do systemctl kill --signal=KILL FPM; post "row$n"; done >/tmp/row
say 'killed in a row' "$(cat /tmp/row), $(cat /srv/pages/log/row* | wc -l)"

systemctl stop FPM; wait_for is = sockets 0
say stopped "$(post stopped) $(state FPM) $(sockets)"
systemctl start FPM
say 'started again' "$(post again) $(sockets)"
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return look(tmp_path_factory, SCRIPT, {"FPM.service.d/zz-slow.conf": SLOW_RESTART})


def test_systemd_holds_the_sockets_for_apache_only(seen: dict[str, str]) -> None:
    assert seen["serves"] == "200 2"
    assert seen["socket"] == "socket www-data www-data 660"


def test_a_request_that_comes_while_php_is_killed_and_started_again_waits_and_is_run_once(seen: dict[str, str]) -> None:
    assert seen["state in the gap"] == "activating"
    assert seen["while nobody was there"] == "200 200 200, begun 1 1 1"


def test_what_waits_in_the_sockets_queue_is_not_lost_with_those_who_were_to_take_it(seen: dict[str, str]) -> None:
    # Three connections there, of which PHP has seen none.
    assert seen["in the queue before"] == "3 0"
    assert seen["in the queue"] == "200 200 200, begun 1 1 1"


def test_a_half_sent_answer_is_not_taken_for_a_whole_one(seen: dict[str, str]) -> None:
    assert seen["what was half sent"] == "0 0, begun 1"


def test_what_a_killed_process_worked_at_is_lost_and_not_run_again(seen: dict[str, str]) -> None:
    assert seen["what PHP worked at"] == "503, begun 1"


def test_what_runs_goes_on_where_only_the_master_was_killed(seen: dict[str, str]) -> None:
    assert seen["when the master alone was killed"] == "200, begun 1"


def test_a_new_pool_comes_by_reload_and_is_held_from_the_next_start_on(seen: dict[str, str]) -> None:
    assert seen["a pool that came by reload"] == "socket 200 same"
    assert seen["and was started anew"] == "symbolic link socket 3 200"


def test_a_reload_keeps_the_socket(seen: dict[str, str]) -> None:
    assert seen["after a reload"] == "200 same"


def test_the_socket_of_a_pool_goes_with_it(seen: dict[str, str]) -> None:
    assert seen["a pool that went by reload"] == "gone 2 200"
    assert seen["and after a kill"] == "200 gone 2"


def test_who_is_killed_again_and_again_is_started_again_and_again(seen: dict[str, str]) -> None:
    assert seen["killed in a row"] == "200" * 8 + ", 8"


def test_stopped_by_hand_it_stays_stopped_and_refuses_at_once(seen: dict[str, str]) -> None:
    assert seen["stopped"] == "503 inactive 0"
    assert seen["started again"] == "200 2"
