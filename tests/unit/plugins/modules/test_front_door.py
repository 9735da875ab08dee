# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.siteops.webcluster.plugins.module_utils import _front_door
from ansible_collections.siteops.webcluster.plugins.modules import front_door
from ansible_collections.siteops.webcluster.plugins.plugin_utils._certificates import shown
from ansible_collections.siteops.webcluster.tests.certificates import issue


def run(capsys: pytest.CaptureFixture[str], **args: t.Any) -> dict[str, t.Any]:
    """Run the module as Ansible does and return its result."""
    with patch_module_args(args), pytest.raises(SystemExit):
        front_door.main()
    result: dict[str, t.Any] = json.loads(capsys.readouterr().out)
    return result


class Web:
    """Stands where the load balancer would; remembers what it was asked."""

    def __init__(self, url: str, *_: t.Any) -> None:
        self.url = url
        Web.asked, Web.hosts = [], []

    asked: t.ClassVar[list[str]] = []
    hosts: t.ClassVar[list[str]] = []

    def __call__(self, method: str, path: str, data: t.Any = None, host: str = "") -> _front_door.Answer:
        Web.asked.append(f"{method} {path}")
        Web.hosts.append(host)
        if "down" in self.url:
            raise _front_door.FrontDoorError("refused", "connection refused")
        if method == "POST":
            self.text = data["text"]
            return _front_door.Answer(201, {}, b'{"id": 3, "server": "web1", "written_to": "db1"}')
        body = json.dumps({"text": getattr(self, "text", ""), "mysql_host": "db2", "mysql_role": "replica"})
        return _front_door.Answer(200, {"x-served-by": "web1"}, body.encode())


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front_door, "HttpAsk", Web)


def test_takes_the_certificates_as_the_clusters_plan_has_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a certificate in the inventory the verdict ended with 'Unsupported parameters'."""
    planned = shown([issue("shop.example").variables()])
    monkeypatch.setattr(front_door, "shown_fingerprint", lambda *_asked: planned[0]["fingerprints"][0])
    result = run(capsys, url="http://up/", certificates=planned)
    assert (result.get("msg"), result["certificates"]) == (None, {"shop.example": ""})


def test_a_healthy_front_door(capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, url="http://up/", expect_servers=["web1"], item_check=True, item_host="demo.example")
    assert result["ok"] is True
    # The item is written and read at the demo's own name, wherever it is looked for.
    assert dict(zip(Web.asked, Web.hosts, strict=True)) == {
        "GET /healthz": "",
        "POST /api/items": "demo.example",
        **{f"GET /api/items/3?from={place}": "demo.example" for place in ("replica", "auto", "cache")},
    }
    assert result["changed"] is False
    assert result["servers"] == {"web1": 1}
    assert result["item"]["replica"]["host"] == "db2"
    assert result["item"]["cache"]["seen"] is True


def test_check_mode_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, url="http://up/", item_check=True, _ansible_check_mode=True)
    assert result["ok"] is True
    assert result["item"] == {}
    assert Web.asked == ["GET /healthz"]


def test_fails_with_one_sentence_and_the_facts(capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, url="http://down/", expect_servers=["web1"], wait=0)
    assert result["failed"] is True
    assert result["msg"].startswith(
        "http://down/: The front door gave no good answer to 1 requests: connection refused (1 times)."
    )
    assert result["missing"] == ["web1"]
    assert result["reasons"][0]["check"] == "reachable"


def test_reports_only_when_asked_not_to_fail(capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, url="http://down/", wait=0, fail=False)
    assert "failed" not in result
    assert result["ok"] is False


@pytest.mark.parametrize(
    ("args", "word"),
    [({"url": "nonsense"}, "url:"), ({"timeout": 0}, "timeout"), ({"attempts": 0}, "attempts"), ({"wait": -1}, "wait")],
)
def test_bad_arguments_are_named(capsys: pytest.CaptureFixture[str], args: dict[str, t.Any], word: str) -> None:
    result = run(capsys, **{"url": "http://up/", **args})
    assert result["failed"] is True
    assert result["msg"].startswith(word)
    assert "item" not in result
