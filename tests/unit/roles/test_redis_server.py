# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings and users of redis_server on each release and flavor, and the server's word on them."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import (
    RedisClient,
    RedisError,
    RedisLogin,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._cluster_ca import make_authority
from ansible_collections.siteops.webcluster.plugins.plugin_utils._cluster_sites import site_user
from ansible_collections.siteops.webcluster.tests.checkers import check, need
from ansible_collections.siteops.webcluster.tests.pretended_hosts import Case, Run, play_role

PASSWORDS = {name: f"{name} 'secret\"" for name in ("application", "replication", "monitor", "admin")}
USUAL = {
    "redis_server_bind_address": "10.0.0.36",
    "redis_server_memory_mb": 256,
    "redis_server_application_keys": ["demo:*"],
    **{f"redis_server_{name}_password": password for name, password in PASSWORDS.items()},
}
# An application of webcluster_sites, beside others on the same server.
SITE = site_user({"user": "blog", "prefix": "blog:", "commands": ["eval"]}, PASSWORDS["application"])
SNAPSHOTS_ONLY = {"in_place": False, "reachable": True, "append_only": False}
AUTHORITY = dict(
    zip(("redis_server_ca_certificate", "redis_server_ca_private_key"), make_authority(datetime.now(UTC)), strict=True)
)
CASES = {
    "debian12": Case(USUAL, release="12"),
    "debian13": Case(USUAL),
    "valkey": Case(
        {**USUAL, "redis_server_flavor": "valkey", "redis_server_replication_password": "replication-secret"}
    ),
    "replica": Case({**USUAL, "redis_server_source_host": "10.0.0.37"}),
    "restarted": Case(USUAL, answers={"redis_settings": {"restart": ["databases"]}}),
    "restarted_replica": Case(
        {**USUAL, "redis_server_source_host": "10.0.0.37"}, answers={"redis_settings": {"restart": ["databases"]}}
    ),
    "adopted": Case(USUAL, answers={"redis_source": SNAPSHOTS_ONLY}),
    "without": Case(
        {**USUAL, "redis_server_settings": {"appendonly": False}}, answers={"redis_source": SNAPSHOTS_ONLY}
    ),
    "own": Case(
        {
            **USUAL,
            "redis_server_application_keys": ["shop:*", "cart:*"],
            "redis_server_extra_users": [{"name": "backup", "password": "b", "rules": "+ping"}, SITE],
            # Somebody else's.
            "redis_server_exporter_port": "{{ nowhere }}",
            "redis_server_application_commands": ["evalsha", "script|load", "info"],
            "redis_server_settings": {"maxmemory": "77mb", "save": ["900 1", "300 10"], "appendfsync": "always"},
        }
    ),
    "sites": Case({**USUAL, "redis_server_application_keys": [], "redis_server_extra_users": [SITE]}),
    "default": Case({**USUAL, "redis_server_application_user": "default"}),
    "encrypted": Case({**USUAL, **AUTHORITY, "redis_server_certificate_names": ["redis.example.org"]}),
    "encrypted_replica": Case(
        {**USUAL, **AUTHORITY, "redis_server_source_host": "10.0.0.37", "redis_server_source_port": 6378}
    ),
    "encrypted_otherwise": Case({**USUAL, **AUTHORITY, "redis_server_settings": {"tls-replication": False}}),
    "scripts": Case({**USUAL, "redis_server_application_commands": ["@scripting"]}),
}
OTHERS = {"own": {"backup", "blog"}, "sites": {"blog"}}
# What makes a run impossible, and what is said of it.
REFUSED: dict[str, tuple[dict[str, object], str]] = {
    "twice": (
        {"redis_server_application_user": "admin"},
        "The names of the Redis users must differ from each other; got admin, replication, monitor, admin.",
    ),
    "rules": (
        {"redis_server_application_commands": ["eval", "eval on nopass", "EVAL"]},
        'redis_server_application_commands holds "eval on nopass", "EVAL", expected names of commands such as eval',
    ),
    "number": (
        {"redis_server_admin_password": 12345},
        "redis_server_admin_password has a wrong value: expected a text in quotes",
    ),
    "null": (
        {"redis_server_admin_password": None},
        "redis_server_admin_password has a wrong value: it is empty, expected a value",
    ),
    "empty": ({"redis_server_admin_password": ""}, "The password of the Redis user admin is empty: set one."),
    "list": (
        {"redis_server_application_keys": "a:*,b:*"},
        "redis_server_application_keys has a wrong value: expected a list",
    ),
    "same_port": (
        {**AUTHORITY, "redis_server_tls_port": 6379},
        "redis_server_tls_port and redis_server_port are both 6379, but the server speaks TLS at a port of its own",
    ),
    "itself": (
        {**AUTHORITY, "redis_server_source_host": "10.0.0.36", "redis_server_source_port": 6378},
        "The replica is told to replicate from itself, 10.0.0.36:6378",
    ),
    "port": (
        {"redis_server_port": 70000},
        "redis_server_port has a wrong value: 70000 is no port, expected 1 to 65535",
    ),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    played = play_role("redis_server", CASES, tmp_path_factory.mktemp("redis_server"))
    assert {name: played.refusal(name) for name in CASES} == dict.fromkeys(CASES, "")
    return played


def test_f_wrong_users_secrets_lists_and_ports_are_refused_by_the_role_alone(tmp_path: Path) -> None:
    cases = {name: Case({**USUAL, **values}) for name, (values, _words) in REFUSED.items()}
    played = play_role("redis_server", cases, tmp_path)
    assert {name: words in played.refusal(name) for name, (_values, words) in REFUSED.items()} == dict.fromkeys(
        REFUSED, True
    )
    assert not [call for call in played.calls if call.module == "configured_service"]


def folder(name: str) -> str:
    return "valkey" if name == "valkey" else "redis"


def settings(run: Run, name: str) -> dict[str, list[str]]:
    """Each setting with its values."""
    found: dict[str, list[str]] = {}
    for line in run.file(name, f"{folder(name)}/webcluster.conf").content.splitlines():
        if line and not line.startswith("#"):
            key, value = line.split(" ", 1)
            found.setdefault(key, []).append(value)
    return found


def test_a_server_with_an_authority_speaks_tls_beside_what_it_spoke(run: Run) -> None:
    found = settings(run, "encrypted")
    assert (found["port"], found["tls-port"], found["tls-auth-clients"]) == (["6379"], ["6378"], ["no"])
    assert found["tls-cert-file"] == found["tls-key-file"] == ["/etc/webcluster-redis-tls/server.pem"]
    assert found["tls-ca-cert-file"] == ["/etc/webcluster-redis-tls/ca.pem"]
    certificate = run.one("encrypted", "host_certificate")
    assert certificate["names"] == ["encrypted", "redis.example.org", "10.0.0.36", "localhost", "127.0.0.1"]
    assert "authority_private_key" not in certificate
    written = run.one("encrypted", "file_tree")
    assert (written["path"], written["group"], list(written["secret_files"])) == (
        "/etc/webcluster-redis-tls",
        "redis",
        ["server.pem"],
    )
    assert not any(name.startswith("tls") for name in settings(run, "debian13"))
    assert run.of("debian13", "host_certificate") == []


def test_replication_goes_over_tls_with_an_authority_only(run: Run) -> None:
    told = {name: run.of(name, "redis_source")[0] for name in CASES}
    assert (told["encrypted_replica"]["tls"], told["encrypted_replica"]["other_port"]) == (True, 6379)
    assert told["encrypted_replica"]["ca_cert"] == "/etc/webcluster-redis-tls/ca.pem"
    assert (told["replica"]["tls"], told["replica"]["other_port"]) == (False, 6378)
    # A primary may become a replica.
    assert told["encrypted"]["tls"] is True
    # Who says so otherwise, knows why.
    assert "tls" not in told["encrypted_otherwise"]


def users(run: Run, name: str) -> dict[str, tuple[str, str]]:
    """Each user with its password and its rules."""
    found = {}
    for line in run.file(name, "webcluster.acl").content.splitlines():
        _user, user, switch, *rest = line.split(" ", 4)
        found[user] = (switch, "") if not rest else (rest[0], rest[1])
    return found


@pytest.mark.parametrize("file", ["webcluster.conf", "webcluster.acl"])
@pytest.mark.parametrize("name", CASES)
def test_redis_accepts_the_file(run: Run, name: str, file: str, tmp_path: Path) -> None:
    need("redis-server")
    written = run.file(name, f"{folder(name)}/{file}")
    # Valkey is not on every release; Redis knows all that we set there.
    command = written.arguments["validate"].replace("valkey", "redis")
    # The list of users is checked by itself; a setting that names it would need it at its place.
    content = "".join(line for line in written.content.splitlines(keepends=True) if not line.startswith("aclfile "))
    asked = check(command, content, tmp_path)
    assert asked.returncode == 0, asked.stderr


@pytest.mark.parametrize(
    ("file", "wrong"),
    [
        ("redis/webcluster.conf", "no-such-setting yes"),
        ("redis/webcluster.conf", "maxmemory plenty"),
        ("webcluster.acl", "user odd on nopass +no-such-command"),
    ],
)
def test_redis_refuses_a_broken_file_by_the_same_command(run: Run, file: str, wrong: str, tmp_path: Path) -> None:
    need("redis-server")
    written = run.file("debian13", file)
    content = "".join(line for line in written.content.splitlines(keepends=True) if not line.startswith("aclfile "))
    asked = check(written.arguments["validate"], f"{content}{wrong}\n", tmp_path)
    assert asked.returncode != 0
    assert wrong.split()[0] in asked.stderr or "no-such-command" in asked.stderr


@pytest.mark.parametrize("name", CASES)
def test_each_user_may_do_what_it_needs_and_no_more(run: Run, name: str) -> None:
    keys = "~shop:* ~cart:* &shop:* &cart:*" if name == "own" else "~demo:* &demo:*"
    more = " +evalsha +script|load +info" if name == "own" else ""
    rules = {
        # What is given back is not taken away before: the server's own list would differ from ours for ever.
        "default"
        if name == "default"
        else "app": f"{keys} +@all -@dangerous{'' if name == 'scripts' else ' -@scripting'}{more}",
        "replication": "-@all +psync +replconf +ping",
        "monitor": "-@all +ping +info +role +wait +get +set ~ansible:canary:*",
        "admin": "~* &* +@all",
    }
    if name == "sites":
        # An application's user is there for keys only.
        del rules["app"]
    found = {user: rule for user, (_password, rule) in users(run, name).items() if user in rules}
    assert found == rules
    if name != "default":
        assert users(run, name)["default"] == ("off", "")
    assert set(users(run, name)) - set(rules) - {"default"} == OTHERS.get(name, set())


@pytest.fixture(scope="module")
def servers(run: Run) -> Iterator[dict[str, str]]:
    """A real server with the users of some cases each: where its socket is."""
    need("redis-server")
    # The name of a socket may not be long.
    with tempfile.TemporaryDirectory() as home:
        started = []
        sockets = {}
        for name in ("debian13", "own", "default"):
            acl = Path(home, f"{name}.acl")
            acl.write_text(run.file(name, "webcluster.acl").content, encoding="utf-8")
            sockets[name] = f"{home}/{name}"
            # What the file forbids, and not what the server's settings do.
            options = [
                "--enable-debug-command",
                "yes",
                "--port",
                "0",
                "--unixsocket",
                sockets[name],
                "--aclfile",
                str(acl),
                "--dir",
                home,
                "--save",
                "",
            ]
            started.append(subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL))
        deadline = time.monotonic() + 30
        while not all(Path(path).exists() for path in sockets.values()):
            assert time.monotonic() < deadline, "a server did not start"
            time.sleep(0.05)
        yield sockets
        for server in started:
            server.terminate()
            server.wait(timeout=30)


def may(socket: str, user: str | None, command: str) -> bool:
    """Whether a user may run a command, whatever becomes of it."""
    login = RedisLogin(unix_socket=socket, username=user, password=PASSWORDS["application"])
    with RedisClient(login) as client:
        # Before the command: a login that fails forbids nothing.
        client.command("PING")
        try:
            client.command(*command.split())
        except RedisError as error:
            return error.kind != "noperm"
    return True


USUAL_COMMANDS = [
    "SET demo:a 1",
    "INCR demo:a",
    "MULTI",
    "SUBSCRIBE demo:a",
    "CLIENT SETNAME shop",
    "SCAN 0",
    "SELECT 1",
]
SCRIPTS = ["EVAL x 0", "EVALSHA x 0", "EVAL_RO x 0", "FCALL f 0", "FUNCTION LIST", "SCRIPT EXISTS a", "SCRIPT LOAD x"]
RULING = [
    "CONFIG GET *",
    "DEBUG SLEEP 0",
    "ACL LIST",
    "INFO",
    "KEYS *",
    "FLUSHALL",
    "FLUSHDB",
    "SHUTDOWN",
    "REPLICAOF NO ONE",
    "MODULE LIST",
    "MONITOR",
    "CLIENT LIST",
    "CLIENT PAUSE 1",
    "SAVE",
    "MIGRATE h 1 k 0 1",
    "SLOWLOG GET",
    "LATENCY DOCTOR",
    "SORT demo:a",
    "GET other",
    "PUBLISH other x",
]


@pytest.mark.parametrize("command", ["SCAN 0", "RANDOMKEY", "CLIENT TRACKING ON BCAST", "KEYS *", "GET demo:a"])
def test_a_site_does_not_learn_the_names_of_other_sites_keys(servers: dict[str, str], command: str) -> None:
    assert not may(servers["own"], "blog", command)


@pytest.mark.parametrize("command", ["SET blog:a 1", "SSCAN blog:b 0", "CLIENT SETNAME blog", "EVAL x 0"])
def test_a_site_may_use_its_keys(servers: dict[str, str], command: str) -> None:
    assert may(servers["own"], "blog", command)


@pytest.mark.parametrize("command", USUAL_COMMANDS)
def test_b8_the_application_may_use_its_keys(servers: dict[str, str], command: str) -> None:
    assert may(servers["debian13"], "app", command)


@pytest.mark.parametrize("command", SCRIPTS + RULING)
def test_b8_the_application_runs_no_script_and_rules_nothing(servers: dict[str, str], command: str) -> None:
    assert not may(servers["debian13"], "app", command)


@pytest.mark.parametrize(
    ("command", "allowed"),
    [("EVALSHA x 0", True), ("SCRIPT LOAD x", True), ("INFO", True), ("EVAL x 0", False), ("SCRIPT FLUSH", False)],
)
def test_b8_what_is_asked_for_is_allowed_and_nothing_else(servers: dict[str, str], command: str, allowed: bool) -> None:
    assert may(servers["own"], "app", command) is allowed


def test_f_a_client_that_can_only_send_a_password_is_the_user_default(servers: dict[str, str]) -> None:
    assert may(servers["default"], None, "SET demo:a 1")
    assert not may(servers["default"], None, "EVAL x 0")
    with (
        pytest.raises(RedisError, match="NOAUTH"),
        RedisClient(RedisLogin(unix_socket=servers["default"])) as nobody,
    ):
        nobody.command("PING")
    with (
        pytest.raises(RedisError, match="WRONGPASS"),
        RedisClient(RedisLogin(unix_socket=servers["debian13"], password=PASSWORDS["application"])) as client,
    ):
        client.command("PING")


@pytest.mark.parametrize("name", CASES)
def test_f_the_server_starts_whatever_locale_the_host_names(run: Run, name: str) -> None:
    drop_in = run.file(name, f"{folder(name)}-server.service.d/webcluster.conf").content
    assert "\nEnvironment=LC_ALL=C.UTF-8\n" in drop_in


def test_passwords_are_kept_as_hashes(run: Run) -> None:
    found = users(run, "debian13")
    for user, name in {
        "app": "application",
        "replication": "replication",
        "monitor": "monitor",
        "admin": "admin",
    }.items():
        assert found[user][0] == f"#{hashlib.sha256(PASSWORDS[name].encode()).hexdigest()}"
    written = str(run.of("debian13", "configured_service"))
    assert not [name for name, word in PASSWORDS.items() if word in written]


@pytest.mark.parametrize("name", CASES)
def test_files_are_for_root_and_the_server_only(run: Run, name: str) -> None:
    for file in (f"{folder(name)}/webcluster.conf", "webcluster.acl"):
        wanted = {"owner": "root", "group": folder(name), "mode": "0640"}
        assert wanted.items() <= run.file(name, file).arguments.items()


@pytest.mark.parametrize("name", [name for name in CASES if name != "without"])
def test_writes_outlive_a_restart_and_strangers_stay_out(run: Run, name: str) -> None:
    found = settings(run, name)
    assert found["appendonly"] == ["yes"]
    assert found["appendfsync"] == (["always"] if name == "own" else ["everysec"])
    assert found["protected-mode"] == ["yes"]
    assert found["bind"] == ["127.0.0.1 10.0.0.36"]
    assert found["aclfile"] == [f"/etc/{folder(name)}/webcluster.acl"]


def test_memory_is_shared_with_the_rest_of_the_host(run: Run) -> None:
    assert settings(run, "debian13")["maxmemory"] == ["153mb"]
    assert settings(run, "debian13")["maxmemory-policy"] == ["volatile-lru"]


def test_own_settings_win(run: Run) -> None:
    found = settings(run, "own")
    assert (found["maxmemory"], found["save"]) == (["77mb"], ["900 1", "300 10"])


@pytest.mark.parametrize("name", ["debian13", "valkey"])
def test_systemd_accepts_the_unit_with_our_change(run: Run, name: str, tmp_path: Path) -> None:
    need("systemd-analyze")
    unit = f"{folder(name)}-server.service"
    drop_in = run.file(name, f"{unit}.d/webcluster.conf")
    change = tmp_path / f"{unit}.d" / "webcluster.conf"
    change.parent.mkdir()
    change.write_text(drop_in.content, encoding="utf-8")
    asked = check("systemd-analyze verify --man=no %s", "[Service]\nExecStart=/bin/true\n", tmp_path, unit)
    # systemd names file and line of what it does not understand, and the unit whose program is not here.
    assert "webcluster.conf:" not in asked.stderr
    starts = [line for line in drop_in.content.splitlines() if line.startswith("ExecStart=")]
    assert starts[0] == "ExecStart="
    assert starts[1].startswith(f"ExecStart=/usr/bin/{folder(name)}-server /etc/{folder(name)}/{folder(name)}.conf ")
    assert f" --include /etc/{folder(name)}/webcluster.conf " in starts[1]


def test_replica_is_told_its_primary_and_how_to_log_in(run: Run) -> None:
    for arguments in run.of("replica", "redis_source"):
        assert (arguments["state"], arguments["source_host"]) == ("replica", "10.0.0.37")
        assert arguments["replication_password"] == PASSWORDS["replication"]
        assert (arguments["login_user"], arguments["login_password"]) == ("admin", PASSWORDS["admin"])
    for arguments in run.of("debian13", "redis_source"):
        assert arguments["state"] == "primary"
        assert "source_host" not in arguments


def test_b2_a_primary_is_restarted_after_the_run_has_said_so(run: Run) -> None:
    said = " ".join(run.output.split())
    assert said.count("has to be restarted, for databases") == 1
    assert "restarted is the primary and redis-server on it has to be restarted, for databases" in said
    assert said.index("has to be restarted, for databases") < said.index(
        ": Restart the server when there is no other way]"
    )
    for name in ("restarted", "restarted_replica"):
        assert run.one(name, "systemd_service")["state"] == "restarted"


@pytest.mark.parametrize("name", ["debian13", "valkey"])
def test_b4_no_start_meets_users_beside_those_of_the_file(run: Run, name: str) -> None:
    unit = run.file(name, f"{folder(name)}-server.service.d/webcluster.conf").content.splitlines()
    wanted = f"ExecStartPre=+/bin/sed --in-place --follow-symlinks '/^user /d' /etc/{folder(name)}/{folder(name)}.conf"
    assert wanted in unit


def test_b4_a_running_server_has_its_append_only_file_before_any_start_could_ignore_its_keys(run: Run) -> None:
    modules = [call.module for call in run.calls if call.host == "adopted"]
    written = modules.index("configured_service")
    assert modules.index("redis_settings") < written
    assert run.of("adopted", "redis_settings")[0]["settings"] == {"appendonly": "yes"}
    # What runs with one already, or is not to have one, needs no such task.
    for name in ("debian13", "without"):
        assert len(run.of(name, "redis_settings")) == 1


def test_b4_the_look_before_any_change_knows_the_users_to_come(run: Run) -> None:
    for arguments in run.of("own", "redis_source"):
        assert arguments["acl_file"] == "/etc/redis/webcluster.acl"
        assert arguments["acl_users"] == ["app", "replication", "monitor", "admin", "backup", "blog"]
