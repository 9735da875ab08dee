# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module replication_status: parameters, what it returns, when it fails and what it says then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from ansible_collections.siteops.webcluster.plugins.doc_fragments.replication_login import ModuleDocFragment
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.canary import Canary
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.facts import (
    CanaryReply,
    Channel,
    Failure,
    Look,
    Raw,
    Snapshot,
    Thread,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.mysql_options import mysql_login
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.redis import RedisProbe
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.redis_options import redis_login
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.verdict import CHECK_NAMES, UNHEALTHY
from ansible_collections.siteops.webcluster.plugins.modules import replication_status as module


class FinishedError(Exception):
    """The module ended."""

    def __init__(self, failed: bool, result: Raw) -> None:
        super().__init__(result.get("msg"))
        self.failed = failed
        self.result = result


class FakeModule:
    """AnsibleModule without its process: defaults are filled in from the argument spec."""

    given: ClassVar[Raw] = {}
    check_mode = False

    def __init__(self, argument_spec: Raw, **_kwargs: Any) -> None:
        self.params = {name: spec.get("default") for name, spec in argument_spec.items()} | self.given

    def fail_json(self, **result: Any) -> None:
        raise FinishedError(True, result)

    def exit_json(self, **result: Any) -> None:
        raise FinishedError(False, result)


class FakeProbe:
    def __init__(self, answer: Snapshot | Failure) -> None:
        self.answer = answer

    def look(self, canary: Canary | None = None) -> Look:
        return Look(self.answer, CanaryReply(seen=True, age_ms=5) if canary else None)

    def close(self) -> None:
        """Nothing to close."""


def run(monkeypatch: pytest.MonkeyPatch, answer: Snapshot | Failure, **params: Any) -> FinishedError:
    monkeypatch.setattr(FakeModule, "given", {"engine": "mysql", **params})
    monkeypatch.setattr(module, "AnsibleModule", FakeModule)
    monkeypatch.setattr(module, "probe", lambda *_args: FakeProbe(answer))
    with pytest.raises(FinishedError) as caught:
        module.main()
    return caught.value


def replica(io: str = "Yes") -> Snapshot:
    channel = Channel(host="10.0.0.20", port=3306, io=Thread(io), sql=Thread("Yes"), lag_seconds=0)
    return Snapshot("mysql", "mariadb", "11.8.6-MariaDB", dialect="mariadb", read_only=True, channels=[channel])


def documented() -> Raw:
    return dict(yaml.safe_load(module.RETURN))


def test_a_healthy_replica(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, replica(), expect_role="replica", expect_primary="10.0.0.20")
    assert not done.failed
    assert done.result["changed"] is False
    assert done.result["healthy"] is True
    assert done.result["version_info"] == [11, 8, 6]
    assert set(done.result) - {"changed"} == set(documented())
    for name, entry in documented().items():
        if entry["type"] == "dict" and "contains" in entry:
            assert set(done.result[name]) == set(entry["contains"]), name
    assert set(done.result["channels"][0]) == set(documented()["channels"]["contains"])
    assert set(done.result["checks"]) == set(CHECK_NAMES)
    json.dumps(done.result)


def test_a_failure_says_state_cause_and_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, replica("No"))
    assert done.failed
    assert done.result["msg"] == "stopped: the connection to the primary is stopped - START SLAVE"
    assert done.result["reasons"][0] == {
        "check": "io",
        "state": "stopped",
        "severity": "error",
        "message": "the connection to the primary is stopped",
        "hint": "START SLAVE",
        "errno": None,
    }


@pytest.mark.parametrize("fail_on", [[], ["broken"]])
def test_facts_mode(monkeypatch: pytest.MonkeyPatch, fail_on: list[str]) -> None:
    for answer, state in (
        (replica("No"), "stopped"),
        (Failure("unreachable", "not_installed", "no client"), "unreachable"),
    ):
        done = run(monkeypatch, answer, fail_on=fail_on)
        assert not done.failed
        assert done.result["state"] == state
        assert set(done.result) - {"changed"} == set(documented())


def test_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.at_rest, "is_empty", lambda engine: engine != "mysql")
    done = run(monkeypatch, Failure("unreachable", "no_socket", "no socket", "Start it."))
    assert done.failed
    assert done.result["msg"] == "unreachable: no socket - Start it."
    assert done.result["checks"]["reachable"]["value"] == "no_socket"
    assert done.result["role"] is None
    assert done.result["data"]["empty"] is False


@pytest.mark.parametrize(
    ("value", "params"), [("no_socket", {"login_host": "10.0.0.20"}), ("timeout", {}), ("no_client", {})]
)
def test_a1_the_files_of_another_host_or_of_a_running_server_say_nothing(
    monkeypatch: pytest.MonkeyPatch, value: str, params: Raw
) -> None:
    monkeypatch.setattr(module.at_rest, "is_empty", bool)
    done = run(monkeypatch, Failure("unreachable", value, "no answer"), fail_on=[], **params)
    assert done.result["data"]["empty"] is None


def test_bad_input_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, replica(), expect_primary={"port": "x"})
    assert done.failed
    assert done.result == {"msg": "expect_primary has port 'x', expected a number."}


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"engine": "redis", "channel": "c"}, "channel is 'c', which engine redis does not have: leave it out."),
        ({"interval": 0.0}, "interval is 0, expected more than 0 seconds."),
        ({"max_io_idle": 0.0}, "max_io_idle is 0, expected more than 0 seconds, or leave it out."),
        ({"timeout": -1.0}, "timeout or stable_for is below 0"),
        ({"stable_for": 5.0}, "stable_for is 5 s, longer than timeout, 0 s: give timeout at least as much."),
        ({"canary": "read"}, "canary is read, but there is no canary_token"),
        ({"canary_token": "a b"}, "canary_token must be 1 to 64 letters"),
        ({"canary_token": "x\n"}, "canary_token must be 1 to 64 letters"),
        ({"canary_schema": ""}, "canary_schema is empty"),
        ({"wait_for": "soon"}, "wait_for is 'soon', expected the position of a result"),
    ],
)
def test_each_mistake_is_one_sentence(monkeypatch: pytest.MonkeyPatch, params: Raw, sentence: str) -> None:
    done = run(monkeypatch, replica(), **params)
    assert done.failed
    assert sentence in done.result["msg"]
    assert set(done.result) == {"msg"}


def test_check_mode_looks_once_and_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeModule, "check_mode", True)
    done = run(monkeypatch, replica("No"), timeout=60.0, stable_for=5.0, canary="both", fail_on=[])
    assert (done.result["attempts"], done.result["changed"], done.result["canary"]["skipped"]) == (1, False, True)
    assert done.result["canary"]["token"]
    params = {**{name: spec.get("default") for name, spec in module.argument_spec().items()}, "engine": "mysql"}
    waiting = module.request({**params, "timeout": 9.0, "wait_for": "0-1-5"}, check_mode=True)
    assert (waiting.timeout, waiting.skip_canary) == (9.0, True)


def test_a_canary_and_its_token(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, replica(), canary="read", canary_token="tok")
    assert not done.failed
    assert done.result["canary"] == {
        "token": "tok",
        "written_at": None,
        "seen": True,
        "latency_ms": 5,
        "error": None,
        "skipped": False,
    }
    params = {**{name: spec.get("default") for name, spec in module.argument_spec().items()}, "canary": "write"}
    first, second = module.canary(params), module.canary(params)
    assert first is not None
    assert second is not None
    assert first.token != second.token
    assert (first.schema, first.table) == ("ansible_canary", "probe")


def test_the_primary_is_asked_with_its_own_login(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def probe(engine: str, login: Raw, channel: str | None = None) -> FakeProbe:
        asked.append((engine, login["login_host"], channel))
        return FakeProbe(replica())

    monkeypatch.setattr(FakeModule, "given", {"engine": "mysql", "channel": "c", "primary": {"login_host": "above"}})
    monkeypatch.setattr(module, "AnsibleModule", FakeModule)
    monkeypatch.setattr(module, "probe", probe)
    with pytest.raises(FinishedError):
        module.main()
    assert sorted(asked, key=str) == [("mysql", "above", None), ("mysql", None, "c")]


@pytest.mark.parametrize(
    ("fail_on", "msg"),
    [
        (["writable_replica"], "writable_replica: this replica accepts writes - SET GLOBAL read_only = 1"),
        (["stopped", "writable_replica"], "stopped: the connection to the primary is stopped - START SLAVE"),
        (["diverged"], None),
    ],
)
def test_fail_on_looks_at_every_finding(monkeypatch: pytest.MonkeyPatch, fail_on: list[str], msg: str | None) -> None:
    ill = replica("No")
    ill.read_only = False
    done = run(monkeypatch, ill, fail_on=fail_on)
    assert done.failed is (msg is not None)
    assert done.result["state"] == "stopped"
    assert [reason["state"] for reason in done.result["reasons"]] == ["stopped", "writable_replica"]
    assert msg is None or done.result["msg"] == msg


def test_expectation() -> None:
    params = {name: spec.get("default") for name, spec in module.argument_spec().items()}
    expect = module.expectation({**params, "max_lag": -1, "ignore_checks": ["lag"], "expect_role": "primary"})
    assert (expect.max_lag, expect.role, expect.ignore_checks) == (None, "primary", ("lag",))
    assert module.expectation(params).max_lag == 10


def test_logins() -> None:
    params = {name: spec.get("default") for name, spec in module.argument_spec().items()}
    mysql = mysql_login(params)
    assert (mysql.host, mysql.port, mysql.user, mysql.password, mysql.tls) == (None, 3306, None, None, "auto")
    redis = redis_login(params)
    assert (redis.host, redis.port, redis.tls) == ("127.0.0.1", 6379, False)
    assert redis_login({**params, "tls": "required", "login_port": 1}).tls is True
    for engine, kind in (("mysql", "MysqlProbe"), ("redis", "RedisProbe")):
        assert type(module.probe(engine, params)).__name__ == kind


def documented_options() -> Raw:
    return {
        **yaml.safe_load(module.DOCUMENTATION)["options"],
        **yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"],
    }


def test_documentation_fits_the_argument_spec() -> None:
    options = documented_options()
    spec = module.argument_spec()
    for described, entries in (
        (options, spec),
        (options["primary"]["suboptions"], spec["primary"]["options"]),
    ):
        assert set(described) == set(entries)
        for name, entry in entries.items():
            for key in ("type", "default", "choices", "elements", "required"):
                assert described[name].get(key) == entry.get(key), (name, key)
    assert tuple(options["fail_on"]["choices"]) == UNHEALTHY
    assert ("reachable", *options["ignore_checks"]["choices"]) == CHECK_NAMES
    assert spec["login_password"]["no_log"] is spec["primary"]["options"]["login_password"]["no_log"] is True


def test_examples_use_documented_options() -> None:
    options = documented_options()
    for task in yaml.safe_load(module.EXAMPLES):
        assert set(task["siteops.webcluster.replication_status"]) <= set(options)


def test_b3_a_server_that_does_not_know_the_login_yet_is_asked_by_the_one_that_its_host_keeps(tmp_path: Path) -> None:
    file = tmp_path / "login.json"
    file.write_text('{"user": "admin", "password": "old", "users": []}', encoding="utf-8")
    given = dict.fromkeys(module.login_spec()) | {
        "connect_timeout": 5,
        "login_user": "monitor",
        "login_password": "new",
    }
    asked = module.probe("redis", {**given, "login_file": str(file)})
    assert isinstance(asked, RedisProbe)
    # And without a name at last, as distributions set servers up.
    assert [(login.username, login.password) for login in asked.client.others] == [("admin", "old"), (None, None)]
    strict = module.probe("redis", given)
    assert isinstance(strict, RedisProbe)
    assert list(strict.client.others) == []
