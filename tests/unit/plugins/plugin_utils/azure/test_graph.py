# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure import clouds, graph
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.arm import Arm, Call, Reply
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import ListError


class Azure:
    def __init__(self, *answers: dict[str, Any]) -> None:
        self.answers = list(answers)
        self.calls: list[Call] = []

    def send(self, call: Call) -> Reply:
        self.calls.append(call)
        return Reply(200, {}, json.dumps(self.answers.pop(0)).encode())

    def rows(self) -> list[dict[str, Any]]:
        arm = Arm(self.send, clouds.resolve("china"), lambda _level, _text: None)
        return list(graph.entries(arm, "virtual machines", ["one", "two"]))


def test_one_query_serves_all_subscriptions_and_its_pages_are_followed() -> None:
    azure = Azure(
        {"totalRecords": 3, "data": [{"id": "a"}, {"id": "b"}], "$skipToken": "mark"},
        {"totalRecords": 3, "data": [{"id": "c"}]},
    )
    assert [row["id"] for row in azure.rows()] == ["a", "b", "c"]
    first, second = azure.calls
    assert first.url == (
        "https://management.chinacloudapi.cn/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01"
    )
    assert first.body is not None
    assert second.body is not None
    assert first.body["subscriptions"] == ["one", "two"]
    assert first.body["options"] == {"$top": 1000, "resultFormat": "objectArray"}
    assert second.body["options"]["$skipToken"] == "mark"
    assert first.body["query"].endswith("| order by id asc")


def test_a_table_is_read_like_objects() -> None:
    azure = Azure({"totalRecords": 1, "data": {"columns": [{"name": "id"}, {"name": "name"}], "rows": [["a", "m"]]}})
    assert azure.rows() == [{"id": "a", "name": "m"}]


def test_fewer_rows_than_counted_are_no_inventory() -> None:
    azure = Azure({"totalRecords": 1500, "resultTruncated": "true", "data": [{"id": "a"}]})
    with pytest.raises(ListError) as failure:
        azure.rows()
    assert str(failure.value) == (
        "Azure Resource Graph counts 1500 virtual machines and gave 1; expected all of them: run it again, or use backend: arm."
    )


@pytest.mark.parametrize("answer", [{}, {"data": None}, {"data": "x"}, {"data": {"columns": []}}])
def test_an_answer_without_rows_is_an_error(answer: dict[str, Any]) -> None:
    with pytest.raises(ListError, match="holds no rows"):
        Azure(answer).rows()
