# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An inventory update with exactly what AWX gives to it, from a checkout of the project; no host takes part."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.siteops.webcluster.tests.awx import check, data
from ansible_collections.siteops.webcluster.tests.loopback_arm import SUBSCRIPTION, TOKEN, Fault, LoopbackArm, tutorial

FILLED = data.objects(
    data.load(), yaml.safe_load((data.CHECKOUT / "awx/variables.example.yml").read_text(encoding="utf-8"))
)
SOURCE = FILLED["controller_inventory_sources"][0]


@pytest.fixture(scope="module")
def collections(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return check.update_project(tmp_path_factory.mktemp("awx") / "project")


@pytest.fixture
def arm() -> Iterator[LoopbackArm]:
    with LoopbackArm(tutorial()) as server:
        yield server


def environment(collections: Path) -> dict[str, str]:
    kind = next(one for one in FILLED["controller_credential_types"] if one["name"] == "webcluster_azure")
    login = {"cloud": "public", "subscription": SUBSCRIPTION, "access_token": TOKEN}
    return {**data.inventory_environment(collections), **data.injected(kind, login, "env")}


def test_g1_an_inventory_update_of_awx_finds_the_plugin(collections: Path, arm: LoopbackArm) -> None:
    folder = collections.parent
    assert "ANSIBLE_COLLECTIONS_PATH" not in environment(collections)
    stored = check.update_inventory(folder, SOURCE, arm.port, environment(collections))
    assert stored["_meta"]["hostvars"]["centosweb1"]["ansible_host"] == "10.0.0.4"
    assert sorted(stored["webcluster"]["children"]) == ["apache_php", "haproxy", "mysql", "redis"]


def test_g1_an_update_that_fails_is_told(collections: Path, arm: LoopbackArm) -> None:
    arm.faults.append(Fault("machines", status=403, code="AuthorizationFailed"))
    with pytest.raises(check.CheckError, match="Give the identity the role Reader"):
        check.update_inventory(collections.parent, SOURCE, arm.port, environment(collections))


def test_g1_a_job_gets_its_variables_as_text_that_is_no_template() -> None:
    written = data.job_yaml({"a": "{{ x }}", "b": 3, "c": ["d"], "e": True})
    assert written == "!unsafe 'a': !unsafe '{{ x }}'\n!unsafe 'b': 3\n!unsafe 'c':\n- !unsafe 'd'\n!unsafe 'e': true\n"


def test_g3_variables_that_no_filter_can_match_are_named() -> None:
    plain: dict[str, Any] = dict.fromkeys(data.FILTERED, "x")
    assert data.unmatched({"_meta": {"hostvars": {"h": plain}}}) == []
    spoilt = {**plain, "azure_name": {"__ansible_unsafe": "x"}}
    assert data.unmatched({"_meta": {"hostvars": {"h": spoilt}}}) == ["azure_name of h"]
