# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a changed password may cost, and that every one of the cluster is changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml
from ansible_collections.siteops.webcluster.plugins.plugin_utils._engines import ENGINES

from tests.error_budget.load import Answer
from tests.error_budget.rotate_secrets import (
    CHECKOUT,
    HALF_WAY,
    LOGINS,
    SITE,
    Line,
    changes,
    named,
)

GOOD = Line("redis admin password", [Answer("read", 0.0, 0.1, 200)], [], True, True, 0)


@pytest.mark.parametrize(
    "worse",
    [
        {"answers": []},
        {"answers": [Answer("read", 0.0, 0.1, 503)]},
        {"refused_logins": ["WRONGPASS"]},
        {"new_works": False},
        {"old_is_refused": False},
        {"second_run_changes": 1},
    ],
)
def test_b3_a_line_is_good_only_where_nobody_noticed(worse: dict[str, Any]) -> None:
    assert GOOD.good
    assert not replace(GOOD, **worse).good


def test_b3_the_recap_s_changes_are_counted() -> None:
    recap = "db1 : ok=16 changed=6 unreachable=0 failed=0\nweb1 : ok=20   changed=10   unreachable=0"
    assert changes(recap) == 16


def test_b3_every_secret_of_the_cluster_is_changed() -> None:
    secrets = {name for engine in ENGINES.values() for name in engine.secrets}
    own = [login for login in LOGINS if login.what != SITE]
    assert {f"{login.engine}_server_{login.what}_password" for login in own} == secrets
    assert {login.file for login in LOGINS if login.what == SITE} == {"site_demo_mysql", "site_demo_redis"}
    for login in own:
        role = CHECKOUT / "roles" / f"{login.engine}_server"
        assert (
            yaml.safe_load((role / "defaults/main.yml").read_text(encoding="utf-8"))[login.option] == login.usual_name
        )


def test_b3_every_user_of_the_cluster_gets_another_name() -> None:
    variables = named({login: f"{login.usual_name}2" for login in LOGINS})
    [demo] = variables.pop("webcluster_sites")
    assert (demo["name"], demo["source"]) == ("demo", "demo")
    assert (demo["database"]["user"], demo["redis"]["user"]) == ("demo2", "demo2")
    assert variables == {login.option: f"{login.usual_name}2" for login in LOGINS if login.what != SITE}


def test_b3_the_interrupted_run_ends_between_the_data_and_the_web_servers() -> None:
    plays = [play["name"] for play in yaml.safe_load((CHECKOUT / "playbooks/site.yml").read_text(encoding="utf-8"))]
    position = [f"PLAY [{name}]" for name in plays].index(HALF_WAY)
    assert plays.index("Converge the replicas") < position
