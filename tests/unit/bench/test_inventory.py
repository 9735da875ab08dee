# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.tests.bench import inventory
from ansible_collections.siteops.webcluster.tests.bench.inventory import Cached, Run

GOOD = [
    Run(8, 0.0, 4, 1.0, 1.5, 100, 0.6, 0.6),
    Run(100, 0.0, 4, 1.0, 1.6, 100, 0.7, 0.7),
    Run(1_000, 0.0, 10, 2.0, 2.5, 130, 1.0, 1.0),
    Run(10_000, 0.0, 91, 9.0, 11.0, 390, 4.0, 4.0),
    Run(10_000, 0.05, 91, 11.0, 11.0, 390, 5.0, 4.0),
]
PLAIN = Run(10_000, 0.0, 0, 9.0, 9.0, 240, None, None)
CACHED = Cached(10_000, replace(PLAIN, cpu=8.0, plugin_cpu=1.5), PLAIN, replace(PLAIN, machines=1, cpu=0.5))


def test_bounds_are_met() -> None:
    assert inventory.complaints(GOOD, CACHED) == []


@pytest.mark.parametrize(
    ("index", "change", "complaint"),
    [
        (0, {"requests": 5}, "8 machines took 5 requests, at most 4 are allowed"),
        (3, {"requests": 92}, "10000 machines took 92 requests, at most 91 are allowed"),
        (3, {"plugin_cpu": 6.1}, "10000 machines took 6.10 CPU seconds, at most 6 are allowed"),
        (3, {"plugin_cpu": 9.0}, "a machine among many costs 2.67 times one among few, at most 2 are allowed"),
    ],
)
def test_a_bound_that_is_exceeded_is_named(index: int, change: dict[str, Any], complaint: str) -> None:
    runs = list(GOOD)
    runs[index] = replace(runs[index], **change)
    assert complaint in inventory.complaints(runs, CACHED)


def test_a_slow_cache_is_named() -> None:
    slow = replace(CACHED, cached=replace(CACHED.cached, cpu=18.9))
    assert inventory.complaints(GOOD, slow) == ["a cached run takes 2.10 times the YAML file, at most 2 are allowed"]


def test_growth_looks_at_the_margin_only() -> None:
    assert inventory.growth(GOOD) == pytest.approx(1.0)
    assert inventory.growth(GOOD[:2]) is None


def test_the_tables_show_figures_and_bounds() -> None:
    text = inventory.table(GOOD)
    assert "91 (91)" in text
    assert "4.00 (6)" in text
    assert "cached by YAML: 0.89 of the CPU (at most 2)" in inventory.cached_table(CACHED)


def test_the_yaml_file_has_the_same_hosts_and_groups() -> None:
    listed = {
        "_meta": {"hostvars": {"a": {"ansible_host": "10.0.0.1", "azure_name": "a"}}},
        "all": {"children": ["ungrouped", "top"]},
        "top": {"children": ["web"]},
        "web": {"hosts": ["a"]},
    }
    assert inventory.as_yaml(listed) == {
        "all": {"hosts": {"a": {"ansible_host": "10.0.0.1"}}},
        "top": {"hosts": {}, "children": {"web": {}}},
        "web": {"hosts": {"a": {}}, "children": {}},
    }


def test_a_small_run_is_measured_for_real(tmp_path: Path) -> None:
    run = inventory.measure(8, 0.01, tmp_path)
    assert (run.machines, run.requests) == (8, 4)
    assert run.plugin_cpu is not None
    assert 0 < run.plugin_cpu < run.cpu
    assert run.memory > 0
