# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server that the role leaves behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ansible_collections.siteops.webcluster.molecule.utils.asking import PASSWORDS
from ansible_collections.siteops.webcluster.molecule.utils.converging import changes, converge
from ansible_collections.siteops.webcluster.molecule.utils.restricted import MOST_EXPOSED, exposure
from testinfra.host import Host

Ask = Callable[..., str]


def main_pid(host: Host, flavor: str) -> str:
    return str(host.check_output(f"systemctl show --property MainPID --value {flavor}-server"))


def test_service_runs_and_starts_at_boot(host: Host, flavor: str) -> None:
    service = host.service(f"{flavor}-server")
    assert service.is_running
    assert service.is_enabled
    assert "--include /etc/" in host.check_output(f"systemctl show --property ExecStart {flavor}-server")


def test_p8_it_does_without_most_rights(host: Host, flavor: str) -> None:
    assert exposure(host, f"{flavor}-server") <= MOST_EXPOSED


def test_version(host: Host, flavor: str, ask: Ask) -> None:
    info = ask("monitor", "INFO", "server")
    version = {"redis": {"12": "redis_version:7.", "13": "redis_version:8."}, "valkey": {"13": "valkey_version:8."}}
    assert version[flavor][host.system_info.release.split(".")[0]] in info


def test_listens_on_loopback_and_private_address_only(host: Host) -> None:
    listening = host.check_output("ss -Hltn 'sport = :6379'")
    addresses = sorted(line.split()[3] for line in listening.splitlines())
    assert addresses == ["10.93.1.4:6379", "127.0.0.1:6379"]


@pytest.mark.parametrize("name", ["{0}.conf", "webcluster.conf", "webcluster.acl"])
def test_files_are_not_for_everybody(host: Host, flavor: str, name: str) -> None:
    file = host.file(f"/etc/{flavor}/{name.format(flavor)}")
    assert file.mode == 0o640
    assert file.group == flavor


def test_no_password_in_our_files(host: Host, flavor: str) -> None:
    for name in ("webcluster.conf", "webcluster.acl"):
        assert "molecule'" not in host.file(f"/etc/{flavor}/{name}").content_string


def test_settings(ask: Ask) -> None:
    wanted = {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory": str(120 * 1024 * 1024),
        "maxmemory-policy": "allkeys-lfu",
        "repl-backlog-size": str(64 * 1024 * 1024),
        "protected-mode": "yes",
        "masteruser": "replication",
        "tcp-keepalive": "60",
        "save": "3600 1 300 100",
    }
    lines = ask("admin", "CONFIG", "GET", *wanted).splitlines()
    assert dict(zip(lines[::2], lines[1::2], strict=True)) == wanted


def test_append_only_file_is_written(host: Host, flavor: str) -> None:
    assert host.file(f"/var/lib/{flavor}/appendonlydir").is_directory


def test_nobody_gets_in_without_a_name(host: Host, flavor: str) -> None:
    assert "NOAUTH" in host.check_output(f"{flavor}-cli PING")
    assert "WRONGPASS" in host.run(f"{flavor}-cli AUTH default anything").stdout


# What each user may do, and what it may not.
RIGHTS = {
    "app": (
        [
            "SET demo:a 1",
            "GET shop:a",
            "INCR demo:counter",
            "EXPIRE demo:a 60",
            "PUBLISH demo:news hello",
        ],
        [
            "EVAL return(1) 0",
            "FUNCTION LIST",
            "FLUSHALL",
            "FLUSHDB",
            "KEYS *",
            "CONFIG GET *",
            "ACL LIST",
            "SAVE",
            "REPLICAOF NO ONE",
            "CLIENT KILL TYPE normal",
            "GET other:key",
            "SET ansible:canary:x 1",
            "PUBLISH other hello",
        ],
    ),
    "monitor": (["PING", "INFO replication", "ROLE", "WAIT 0 1"], ["GET demo:a", "CONFIG GET *", "DBSIZE", "ACL LIST"]),
    "replication": (
        ["PING", "REPLCONF listening-port 6379"],
        ["GET demo:a", "INFO", "ROLE", "CONFIG GET *", "FLUSHALL"],
    ),
    "backup": (["LASTSAVE"], ["GET demo:a", "PING"]),
}


@pytest.mark.parametrize("user", RIGHTS)
def test_user_has_its_rights_and_no_others(ask: Ask, user: str) -> None:
    allowed, denied = RIGHTS[user]
    assert "NOPERM" not in ask(user, lines=allowed)
    assert ask(user, lines=denied).count("NOPERM") == len(denied)


def test_our_settings_and_the_servers_role_outlive_a_rewrite_and_a_restart(host: Host, flavor: str, ask: Ask) -> None:
    ask("app", "SET", "demo:kept", "yes")
    ask("admin", "CONFIG", "SET", "maxmemory", "20mb")
    ask("admin", "CONFIG", "SET", "slowlog-max-len", "77")
    assert ask("admin", "CONFIG", "REWRITE") == "OK"
    host.check_output(f"systemctl restart {flavor}-server")
    assert ask("admin", "CONFIG", "GET", "maxmemory").splitlines()[1] == str(120 * 1024 * 1024)
    assert ask("admin", "CONFIG", "GET", "slowlog-max-len").splitlines()[1] == "77"
    assert ask("admin", "CONFIG", "GET", "masterauth").splitlines()[1] == "molecule' replication"
    assert ask("app", "GET", "demo:kept") == "yes"


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"redis_server_port": "many"}, "redis_server_port"),
        ({"redis_server_settings": {"maxmemory-policy": "sometimes"}}, "maxmemory-policy"),
        ({"redis_server_settings": {"no-such-setting": 1}}, "no-such-setting"),
        (
            {"redis_server_extra_users": [{"name": "odd", "password": "x", "rules": "+no-such-command"}]},
            "Unknown command or category name in ACL",
        ),
        ({"redis_server_application_password": ""}, "The password of the Redis user app is empty"),
        ({"redis_server_monitor_user": "app"}, "must differ from each other"),
        (
            {"redis_server_bind_address": "192.0.2.1", "redis_server_port": 6390},
            "redis_server_bind_address is 192.0.2.1, which is no address of this host",
        ),
        ({"redis_server_port": 22}, "Port 22 of 127.0.0.1 is already taken by sshd"),
    ],
    ids=["type", "value", "setting", "rule", "password", "names", "address", "port"],
)
def test_bad_input_changes_nothing(host: Host, flavor: str, variables: dict[str, object], sentence: str) -> None:
    look = f"sha256sum /etc/{flavor}/webcluster.* /etc/systemd/system/{flavor}-server.service.d/*"
    before, pid = host.check_output(look), main_pid(host, flavor)
    code, output = converge("redis_master", variables)
    assert code == 2
    assert sentence in output
    assert changes(output) == 0
    assert (host.check_output(look), main_pid(host, flavor)) == (before, pid)


def test_password_that_valkey_cannot_keep_is_refused(host: Host, flavor: str) -> None:
    if flavor != "valkey":
        pytest.skip("Redis can keep it")
    pid = main_pid(host, flavor)
    code, output = converge("redis_master", {"redis_server_replication_password": 'with"quote'})
    assert code == 2
    assert "holds a double quote or a backslash, which Valkey cannot keep" in output
    assert main_pid(host, flavor) == pid


def test_new_settings_and_passwords_need_no_restart(host: Host, flavor: str, ask: Ask) -> None:
    pid = main_pid(host, flavor)
    code, output = converge(
        "redis_master",
        {
            "redis_server_settings": {"maxmemory": "77mb", "maxmemory-policy": "noeviction"},
            "redis_server_application_password": "rotated",
        },
    )
    assert code == 0, output
    assert ask("admin", "CONFIG", "GET", "maxmemory").splitlines()[1] == str(77 * 1024 * 1024)
    assert ask("app", "PING", password="rotated") == "PONG"
    assert main_pid(host, flavor) == pid
    assert converge("redis_master")[0] == 0
    assert ask("app", "PING") == "PONG"
    assert main_pid(host, flavor) == pid


def test_drift_is_mended_without_a_restart(host: Host, flavor: str, ask: Ask) -> None:
    pid = main_pid(host, flavor)
    ask("admin", "CONFIG", "SET", "appendonly", "no")
    ask("admin", "ACL", "SETUSER", "default", "on", "nopass", "~*", "+@all")
    ask("admin", "ACL", "SETUSER", "intruder", "on", "nopass", "~*", "+@all")
    assert converge("redis_master")[0] == 0
    assert ask("admin", "CONFIG", "GET", "appendonly").splitlines()[1] == "yes"
    assert "NOAUTH" in host.check_output(f"{flavor}-cli PING")
    assert "intruder" not in ask("admin", "ACL", "USERS").splitlines()
    assert main_pid(host, flavor) == pid


def test_b3_a_new_admin_needs_no_restart(host: Host, flavor: str, ask: Ask) -> None:
    pid = main_pid(host, flavor)
    code, output = converge(
        "redis_master", {"redis_server_admin_password": "rotated", "redis_server_admin_user": "boss"}
    )
    assert code == 0, output
    assert ask("boss", "DBSIZE", password="rotated").isdigit()
    assert host.file("/etc/webcluster-redis.json").mode == 0o600
    assert converge("redis_master")[0] == 0
    assert ask("admin", "DBSIZE").isdigit()
    assert main_pid(host, flavor) == pid


def test_b3_a_former_password_and_name_stay_valid_until_they_are_taken_back(host: Host, flavor: str, ask: Ask) -> None:
    changed = {"redis_server_application_password": "rotated", "redis_server_monitor_user": "watch"}
    code, output = converge("redis_master", {**changed, "redis_server_keep_former": True})
    assert code == 0, output
    host.check_output(f"systemctl restart {flavor}-server")
    assert [ask("app", "PING"), ask("app", "PING", password="rotated"), ask("monitor", "PING")] == ["PONG"] * 3
    assert converge("redis_master", changed)[0] == 0
    assert ask("app", "PING", password="rotated") == "PONG"
    assert "PONG" not in ask("app", "PING") + ask("monitor", "PING")
    assert converge("redis_master")[0] == 0
    assert ask("monitor", "PING") == "PONG"


def test_replica_is_not_promoted_by_the_way(ask: Ask) -> None:
    ask("admin", "REPLICAOF", "127.0.0.1", "6390")
    code, output = converge("redis_master")
    assert code == 2
    assert "is a replica of 127.0.0.1:6390, not a primary, and is left as it is" in output
    assert ask("monitor", "ROLE").startswith("slave")
    ask("admin", "REPLICAOF", "NO", "ONE")


def set_up_by_distribution(host: Host, flavor: str) -> None:
    """Put the package's own server there, with keys that it has saved nowhere yet."""
    script = f"""
        systemctl stop {flavor}-server
        apt-get purge --quiet --yes {flavor}-server
        rm -rf /etc/{flavor} /var/lib/{flavor} /etc/systemd/system/{flavor}-server.service.d
        systemctl daemon-reload
        apt-get install --quiet --yes --no-install-recommends --reinstall {flavor}-server {flavor}-tools
        systemctl restart {flavor}-server
        for number in $(seq 500); do echo SET kept:$number $number; done | {flavor}-cli | uniq
    """
    assert host.check_output(f"sh -euc '{script}'").splitlines()[-1] == "OK"


@pytest.mark.parametrize("interrupted", [False, True], ids=["at once", "after an interrupted run"])
def test_b4_a_distribution_server_with_keys_is_taken_over(host: Host, flavor: str, ask: Ask, interrupted: bool) -> None:
    set_up_by_distribution(host, flavor)
    if interrupted:
        # The users have come, the ACL file has not, and somebody let the server write its file.
        rules = (f">{PASSWORDS['admin']}", "~*", "&*")
        host.check_output(f"{flavor}-cli ACL SETUSER admin on %s %s %s +@all", *rules)
        assert ask("admin", "ACL", "SETUSER", "default", "off") == "OK"
        assert ask("admin", "CONFIG", "REWRITE") == "OK"
    code, output = converge("redis_master")
    assert code == 0, output
    assert ask("admin", "DBSIZE") == "500"
    assert ask("admin", "GET", "kept:500") == "500"
    assert "NOAUTH" in host.check_output(f"{flavor}-cli PING")
    code, output = converge("redis_master")
    assert (code, changes(output)) == (0, 0), output


def test_b4_users_of_its_own_are_named_before_any_change(host: Host, flavor: str) -> None:
    set_up_by_distribution(host, flavor)
    host.check_output(f"{flavor}-cli ACL SETUSER cron on nopass '~*' +@all")
    code, output = converge("redis_master")
    assert code == 2
    assert "The server has ACL users of its own, cron, which" in output
    assert changes(output) == 0
    host.check_output(f"{flavor}-cli ACL DELUSER cron")
    assert converge("redis_master")[0] == 0
