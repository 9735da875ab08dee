# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module replication_status: parameters, what it returns, when it fails and what it says then."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest
import yaml
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.model import (
    Channel,
    Comparison,
    Failure,
    Raw,
    Snapshot,
    Thread,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.verdict import CHECKS, UNHEALTHY
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
    run_command = None

    def __init__(self, argument_spec: Raw, **_kwargs: Any) -> None:
        self.params = {name: spec.get("default") for name, spec in argument_spec.items()} | self.given

    def fail_json(self, **result: Any) -> None:
        raise FinishedError(True, result)

    def exit_json(self, **result: Any) -> None:
        raise FinishedError(False, result)


class FakeLooker:
    def __init__(self, answer: Snapshot | Failure) -> None:
        self.answer = answer

    def look(self) -> Snapshot | Failure:
        return self.answer

    def compare(self, *_args: Any) -> Comparison:
        return Comparison()


def run(monkeypatch: pytest.MonkeyPatch, answer: Snapshot | Failure, **params: Any) -> FinishedError:
    monkeypatch.setattr(FakeModule, "given", {"engine": "mysql", **params})
    monkeypatch.setattr(module, "AnsibleModule", FakeModule)
    monkeypatch.setattr(module, "looker", lambda _params, _run_command: FakeLooker(answer))
    with pytest.raises(FinishedError) as caught:
        module.main()
    return caught.value


def replica(io: str = "Yes") -> Snapshot:
    channel = Channel(host="10.0.0.20", port=3306, io=Thread(io), sql=Thread("Yes"), lag_seconds=0)
    return Snapshot(engine="mysql", flavor="mariadb", version="11.8.6-MariaDB", read_only=True, channels=[channel])


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
    json.dumps(done.result)


def test_a_failure_says_state_cause_and_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, replica("No"))
    assert done.failed
    assert done.result["msg"] == "stopped: the connection to the primary is stopped - START SLAVE"
    assert done.result["reasons"][0] == {
        "check": "io",
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
    done = run(monkeypatch, Failure("unreachable", "no_socket", "no socket", "Start it."))
    assert done.failed
    assert done.result["msg"] == "unreachable: no socket - Start it."
    assert done.result["checks"]["reachable"]["value"] == "no_socket"
    assert done.result["role"] is None
    assert done.result["data"] == {"empty": None}


def test_bad_input_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, replica(), expect_primary={"port": "x"})
    assert done.failed
    assert done.result == {"msg": "expect_primary has port 'x', expected a number."}


def test_expectation() -> None:
    params = {name: spec.get("default") for name, spec in module.argument_spec().items()}
    expect = module.expectation({**params, "max_lag": -1, "ignore_checks": ["lag"], "expect_role": "primary"})
    assert (expect.max_lag, expect.role, expect.ignore_checks) == (None, "primary", ("lag",))
    assert module.expectation(params).max_lag == 10


def test_logins() -> None:
    params = {name: spec.get("default") for name, spec in module.argument_spec().items()}
    mysql = module.mysql_login(params)
    assert (mysql.host, mysql.port, mysql.user, mysql.password, mysql.tls) == (None, 3306, None, None, "auto")
    redis = module.redis_login(params)
    assert (redis.host, redis.port, redis.tls) == ("127.0.0.1", 6379, False)
    assert module.redis_login({**params, "tls": "required", "login_port": 1}).tls is True
    for engine, name in (("mysql", "MysqlLooker"), ("redis", "RedisLooker")):
        assert type(module.looker({**params, "engine": engine}, print)).__name__ == name


def test_documentation_fits_the_argument_spec() -> None:
    options = yaml.safe_load(module.DOCUMENTATION)["options"]
    spec = module.argument_spec()
    assert set(options) == set(spec)
    for name, entry in spec.items():
        for key in ("type", "default", "choices", "elements", "required"):
            assert options[name].get(key) == entry.get(key), (name, key)
    assert tuple(options["fail_on"]["choices"]) == UNHEALTHY
    assert ("reachable", *options["ignore_checks"]["choices"]) == CHECKS
    assert spec["login_password"]["no_log"] is True


def test_examples_use_documented_options() -> None:
    options = yaml.safe_load(module.DOCUMENTATION)["options"]
    for task in yaml.safe_load(module.EXAMPLES):
        assert set(task["siteops.webcluster.replication_status"]) <= set(options)
