# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.tests.bench import converge
from ansible_collections.siteops.webcluster.tests.bench.converge import Record, Run

PLAYBOOK = """
- name: Two hosts
  hosts: all
  gather_facts: false
  tasks:
    - name: Change
      ansible.builtin.command: sleep 0.2
      changed_when: inventory_hostname == 'b'
    - name: Loop
      ansible.builtin.debug:
        msg: "{{ item }}"
      loop: [1, 2, 3]
    - name: Leave out
      ansible.builtin.debug:
      when: inventory_hostname == 'a'
"""


def run_of(*records: Record, name: str = "first", exit_code: int = 0) -> Run:
    return Run(name, exit_code, wall=2.0, cpu=1.0, records=list(records))


def on(host: str, status: str, task: str = "role : Task", begin: float = 0, end: float = 1) -> Record:
    return Record(host, task, status, begin, end)


def test_skipped_tasks_are_counted_apart() -> None:
    run = run_of(on("b", "ok"), on("a", "ok"), on("a", "changed"), on("a", "skipped"), on("a", "failed"))
    assert list(run.counts()) == ["a", "b"]
    assert run.counts()["a"] == Counter(ok=1, changed=1, skipped=1, failed=1)
    assert converge.tasks_run(run.counts()["a"]) == 3


@pytest.mark.parametrize(
    ("spans", "seconds"),
    [
        ([], 0),
        ([(1, 3)], 2),
        ([(1, 3), (2, 5)], 4),
        ([(1, 9), (2, 5)], 8),
        ([(4, 5), (1, 2)], 2),
        ([(1, 2), (2, 3)], 2),
    ],
)
def test_hosts_side_by_side_count_once(spans: list[tuple[float, float]], seconds: float) -> None:
    assert converge.covered(spans) == seconds


def test_slowest_tasks_sum_repeats_and_leave_skipped_out() -> None:
    rows = converge.slowest(
        [
            on("a", "ok", "Install", 0, 4),
            on("b", "ok", "Install", 1, 5),
            on("a", "ok", "Check", 10, 13),
            on("a", "ok", "Check", 20, 23),
            on("a", "skipped", "Never", 0, 99),
            on("a", "ok", "Quick", 30, 31),
        ],
        number=2,
    )
    assert rows == [("Check", 6, 1), ("Install", 5, 2)]


def test_bounds_are_met() -> None:
    first = run_of(*[on("a", "changed")] * 45)
    second = run_of(*[on("a", "ok")] * 25, *[on("a", "skipped")] * 9, name="second")
    assert converge.complaints([first, second], (45, 25)) == []


@pytest.mark.parametrize(
    ("first", "second", "complaint"),
    [
        (
            run_of(*[on("a", "ok")] * 46),
            run_of(on("a", "ok"), name="second"),
            "first run: a needed 46 tasks, at most 45",
        ),
        (
            run_of(on("a", "ok")),
            run_of(*[on("a", "ok")] * 26, name="second"),
            "second run: a needed 26 tasks, at most 25",
        ),
        (
            run_of(on("a", "ok")),
            run_of(on("a", "changed"), name="second"),
            "1 tasks reported a change: role : Task (a)",
        ),
        (run_of(on("a", "ok"), exit_code=2), run_of(on("a", "ok"), name="second"), "ended with exit code 2"),
        (run_of(), run_of(on("a", "ok"), name="second"), "first run: no host ran a task"),
    ],
)
def test_broken_bound_is_named(first: Run, second: Run, complaint: str) -> None:
    found = converge.complaints([first, second], (45, 25))
    assert len(found) == 1
    assert complaint in found[0]


def test_report_shows_hosts_times_and_tasks() -> None:
    text = converge.report(run_of(on("web1", "ok"), on("web1", "unreachable"), on("web1", "skipped")), 45)
    assert "first run: 2.0 s wall, 1.0 s controller CPU" in text
    assert text.splitlines()[2].split() == ["web1", "2", "1", "0", "1", "1"]
    assert text.splitlines()[-1].split() == ["1.0", "s", "1", "hosts", "role", ":", "Task"]


def test_two_real_runs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The plugin and the sums on a real playbook: two local hosts, no lab."""
    (tmp_path / "play.yml").write_text(PLAYBOOK, encoding="utf-8")
    hosts = {name: {"ansible_connection": "local", "ansible_python_interpreter": sys.executable} for name in "ab"}
    (tmp_path / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
    figures = tmp_path / "figures.json"
    source = ["--keep-lab", "--inventory", str(tmp_path / "hosts.json"), "--playbook", str(tmp_path / "play.yml")]
    code = converge.main([*source, "--first", "3", "--second", "2", "--json", str(figures)])
    first, second = json.loads(figures.read_text(encoding="utf-8"))
    assert first["hosts"] == {"a": {"ok": 3}, "b": {"changed": 1, "ok": 1, "skipped": 1}}
    assert first["cpu_seconds"] > 0
    assert first["wall_seconds"] >= 0.2
    task, seconds, number = second["slowest"][0]
    assert (task, number) == ("Change", 2)
    assert 0.2 <= seconds < second["wall_seconds"]
    assert code == 1
    closing = capfd.readouterr().out.strip().splitlines()[-2:]
    assert closing[0] == "second run: a needed 3 tasks, at most 2 are allowed"
    assert closing[1] == "second run: 1 tasks reported a change: Change (b)"
