# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's units under a real systemd: a folder of another server that is away, comes back, is changed and removed.

The other server is an overlay whose folders come and go: no kernel of a test machine has NFS, and how it mounts is not ours.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils import _mounts, _programs
from ansible_collections.siteops.webcluster.tests.loopback_systemd import boot, need_systemd
from ansible_collections.siteops.webcluster.tests.pretended_hosts import Case, play_role

SHOP: dict[str, Any] = {
    "name": "shop",
    "domains": ["shop.example"],
    "shared_folders": ["wp-content/uploads"],
    "mounts": [
        {
            "folder": "wp-content/uploads",
            "src": "overlay",
            "fstype": "overlay",
            "opts": "lowerdir=/run/nas/low,upperdir=/run/nas/up,workdir=/run/nas/work",
        }
    ],
    "cron": [{"name": "bill", "schedule": "@hourly", "command": "true"}],
}
UNIT = r"srv-webcluster-shop-shared-wp\x2dcontent-uploads"
NUMBER = 98172
# Each line is a name and what was found.
SCRIPT = r"""
unit='srv-webcluster-shop-shared-wp\x2dcontent-uploads' folder=/srv/webcluster/shop/shared/wp-content/uploads
site() { setpriv --reuid=site-shop --regid=site-shop --init-groups "$@"; }
state() { systemctl show --property=SubState --value "$unit.$1"; }
types() { grep -F " $folder " /proc/self/mountinfo | sed 's/.* - \([a-z0-9.]*\) .*/\1/' | paste --serial --delimiters=+; }
say() { echo "$1: $2"; }
problem() {
  PYTHONPATH=/given/lib python3 -c '
import sys
from ansible_collections.siteops.webcluster.plugins.module_utils._mounts import MountedFolder, problem_of
print(problem_of(MountedFolder("shop", "uploads", sys.argv[1], "site-shop", "the-unit")))' "$folder"
}
wait_for() { for _ in $(seq 300); do test "$($1)" = "$2" && break; sleep 0.2; done; }
code() { "$@" >/tmp/said 2>&1; echo $?; }

systemd-sysusers /given/sysusers.conf
say numbers "$(id -u site-shop) $(getent group web-shop | cut -d: -f3)"
# A folder that was the site's own before.
mkdir -p "$folder"; chown site-shop:web-shop "$folder"; chmod 2750 "$folder"
systemctl enable --now "$unit.automount"
wait_for 'state mount' failed
say started "$(state automount) $(types)"

say 'write while away' "$(code site touch "$folder/lost")"
for _ in $(seq 12); do site touch "$folder/lost" 2>/dev/null && say written anyway; done
say 'root while away' "$(code touch "$folder/lost")"
say 'still tried' "$(state automount) $(state mount) $(types)"
say 'problem while away' "$(problem)"
mkdir -p /srv/webcluster/shop/current /etc/webcluster-sites; touch /etc/webcluster-sites/shop.env
say 'job while away' "$(code systemctl start webcluster-cron-shop-bill.service) $(grep -c dependency /tmp/said)"

mkdir -p /run/nas/low /run/nas/up /run/nas/work; chown NUMBER:NUMBER /run/nas/low /run/nas/up
systemd-run --quiet --unit=php --property=PrivateTmp=yes --property=ProtectSystem=full --property=User=site-shop \
  sh -c "sleep 1; touch $folder/picture"
until test -e /run/nas/up/picture || ! systemctl is-active --quiet php; do sleep 0.2; done
say 'write when back' "$(stat -c '%u %s' /run/nas/up/picture) $(types)"
say 'problem when back' "$(problem)"
say options "$(grep -F " $folder " /proc/self/mountinfo | tail -n 1 | cut -d ' ' -f 6)"

chown root:root "$folder"
say 'problem when not writable' "$(problem)"
chown NUMBER:NUMBER "$folder"

echo whole >"$folder/picture"
mkfifo /tmp/go
site sh -c "exec 3<$folder/picture; : >/tmp/ready; cat /tmp/go - <&3" >/tmp/read & reader=$!
wait_for 'ls /tmp/ready' /tmp/ready
sed -i 's/^Options=.*/&,ro/' "/etc/systemd/system/$unit.mount"
systemctl daemon-reload; systemctl restart "$unit.automount"
wait_for types autofs+overlay; say 'not asked for' "$(types)"
say 'changed' "$(site cat "$folder/picture") $(grep -F " $folder " /proc/self/mountinfo | tail -n 1 | cut -d ' ' -f 6)"
echo -n 'still ' >/tmp/go; wait $reader; say 'open file' "$(cat /tmp/read)"

systemctl disable --now "$unit.automount" "$unit.mount" 2>/tmp/said
say 'below the mount' "$(stat -c '%U %G' "$folder") $(code site touch "$folder/lost") $(ls -A "$folder" | wc -l) $(types)"
say 'problem when removed' "$(problem)"
rm -rf /srv/webcluster/shop
say 'on the other server' "$(ls /run/nas/up)"
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    need_systemd()
    case = Case({"apache_php_memory_mb": 1024, "apache_php_sites": [SHOP]})
    run = play_role("apache_php", {"web": case}, tmp_path_factory.mktemp("role"))
    files = {
        file["path"]: file["content"]
        for call in run.of("web", "configured_service")
        for file in call["files"]
        if file.get("content")
    }
    units = {
        path.removeprefix("/etc/systemd/system/"): text
        for path, text in files.items()
        if path.startswith(("/etc/systemd/system/srv-", "/etc/systemd/system/webcluster-"))
    }
    library = "lib/ansible_collections/siteops/webcluster/plugins/module_utils"
    given = {f"{library}/{Path(str(m.__file__)).name}": Path(str(m.__file__)).read_text() for m in (_mounts, _programs)}
    given["sysusers.conf"] = files["/etc/sysusers.d/webcluster-site-shop.conf"]
    script = SCRIPT.replace("NUMBER", str(NUMBER))
    said, errors = boot(tmp_path_factory.mktemp("systemd"), units, script, given)
    found = dict(line.split(": ", 1) for line in said.splitlines())
    assert "on the other server" in found, said + errors
    return found


def test_the_sites_user_has_the_numbers_that_follow_from_its_name(seen: dict[str, str]) -> None:
    assert seen["numbers"] == f"{NUMBER} {NUMBER + 1}"


def test_a_server_that_is_away_keeps_nobody_from_starting(seen: dict[str, str]) -> None:
    assert seen["started"] == "waiting autofs"


def test_the_folder_is_mounted_before_somebody_uses_it(seen: dict[str, str]) -> None:
    assert seen["not asked for"] == "autofs+overlay"


def test_while_the_server_is_away_nobody_writes_and_everybody_tries_again(seen: dict[str, str]) -> None:
    assert (seen["write while away"], seen["root while away"]) == ("1", "1")
    assert "written" not in seen
    # Not even systemd's limit of starts takes the guard away.
    assert seen["still tried"] == "waiting failed autofs"
    assert seen["problem while away"] == "its folder uploads is not mounted (see 'systemctl status the-unit.mount')"


def test_a_job_is_left_to_servers_that_have_the_folder(seen: dict[str, str]) -> None:
    assert seen["job while away"] == "1 1"


def test_a_server_that_is_back_is_there_at_once_for_php_in_its_own_namespace_too(seen: dict[str, str]) -> None:
    assert seen["write when back"] == f"{NUMBER} 0 autofs+overlay"
    assert seen["problem when back"] == ""
    assert {"nosuid", "nodev", "noexec"} <= set(seen["options"].split(","))


def test_a_folder_that_the_site_may_not_write_to_is_named(seen: dict[str, str]) -> None:
    assert seen["problem when not writable"] == "its folder uploads is mounted, and site-shop may not write to it"


def test_changed_options_take_no_open_file_away(seen: dict[str, str]) -> None:
    assert seen["changed"].startswith("whole ro,")
    assert seen["open file"] == "still whole"


def test_below_the_mount_nobody_writes_and_what_was_mounted_stays(seen: dict[str, str]) -> None:
    assert seen["below the mount"] == "root root 1 0 "
    assert seen["problem when removed"].startswith("its folder uploads is not mounted")
    assert seen["on the other server"] == "picture"
