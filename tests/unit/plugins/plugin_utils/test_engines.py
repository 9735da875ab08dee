# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _engines, _variables

OPTIONS = _variables.all_options()


@pytest.mark.parametrize("key", _engines.ENGINES)
def test_a_row_of_the_table_names_what_is_there(key: str) -> None:
    engine = _engines.ENGINES[key]
    assert {engine.role, *engine.groups} <= set(_variables.role_options())
    assert (_variables.PLAYBOOKS / "tasks" / "tiers" / f"{key}.yml").is_file()
    wanted = [
        engine.option(what) for what in ("port", "bind_address", "monitor_user", "monitor_password", "application_user")
    ]
    wanted += [*engine.secrets, *engine.login.values(), *filter(None, [engine.status_switch, engine.status_port])]
    wanted += [f"webcluster_{key}_write_port", f"webcluster_{key}_read_port", f"{engine.replica_group}_source_host"]
    assert [name for name in wanted if name not in OPTIONS] == []


@pytest.mark.parametrize("key", _engines.ENGINES)
def test_haproxy_can_check_every_engine(key: str) -> None:
    checks = OPTIONS["haproxy_data_services"]["options"]["check"]["choices"]
    assert {f"{key}_primary", f"{key}_replica"} <= set(checks)


def test_the_demo_needs_engines_of_the_table() -> None:
    assert set(_engines.DEMO_ENGINES) <= set(_engines.ENGINES)
