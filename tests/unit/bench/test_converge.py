# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

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
      when: told is defined
    - name: Leave out
      ansible.builtin.debug:
      when: inventory_hostname == 'a'
"""


def run_of(*records: Record, name: str = "first", exit_code: int = 0) -> Run:
    return Run(name, exit_code, wall=2.0, cpu=1.0, records=list(records))


def on(host: str, status: str, task: str = "role : Task", begin: float = 0, end: float = 1, **more: Any) -> Record:
    return Record(host, task, status, begin, end, **{"module": "file", **more})


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
    assert "first run: 2.0 s wall, 1.0 s controller CPU, 0.0 s host CPU" in text
    assert text.splitlines()[2].split() == ["web1", "2", "1", "0", "1", "1", "-"]
    assert text.splitlines()[-1].split() == ["1.0", "s", "1", "hosts", "role", ":", "Task"]


def test_module_costs_are_summed_and_what_belongs_to_no_task_is_told() -> None:
    run = run_of(
        on("a", "ok", module="apt", controller_cpu=0.1, host_cpu=0.8),
        on("b", "changed", module="apt", controller_cpu=0.1, host_cpu=1.2),
        on("a", "ok", module="assert", controller_cpu=0.3, host_cpu=0.0),
        on("b", "skipped", module="apt", controller_cpu=0.04, host_cpu=None),
    )
    run.host_cpu = {"a": 1.0, "b": 1.5}
    apt, check, skipped, rest = converge.module_costs(run)
    assert (apt.module, apt.runs, apt.controller_cpu, apt.host_cpu) == ("apt", 2, 0.2, 2.0)
    assert (check.module, check.runs) == ("assert", 1)
    assert (skipped.module, skipped.runs, skipped.controller_cpu, skipped.host_cpu) == ("(skipped)", 1, 0.04, 0)
    assert (rest.module, rest.runs) == ("(outside of tasks)", 0)
    assert rest.controller_cpu == pytest.approx(1.0 - 0.54)
    assert rest.host_cpu == pytest.approx(0.5)
    assert run.all_cpu() == 3.5
    assert converge.module_table(run)[1].split()[1:] == ["2", "0.20", "2.00", "0.100", "1.00"]


def test_host_cpu_is_read_from_the_cgroup(tmp_path: Path) -> None:
    meter = tmp_path / "cpu.stat"
    meter.write_text("usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\n", encoding="utf-8")
    assert converge.read_meters({"a": str(meter)}) == {"a": 2.5}


def second(cpu: float, host_cpu: float, **more: Any) -> Run:
    return Run("second 1", more.pop("exit_code", 0), 9.0, cpu, [on("a", more.pop("status", "ok"))], {"a": host_cpu})


def test_two_thirds_of_the_cpu_are_enough() -> None:
    before, now = [second(20, 40), second(10, 20)], [second(10, 30), second(10, 10)]
    assert converge.cpu_ratio(before, now) == pytest.approx(2 / 3)
    assert converge.pair_complaints(before, now) == []
    assert "0.67 (at most 0.67)" in converge.pair_report("eb13032", before, now)


@pytest.mark.parametrize(
    ("now", "complaint"),
    [
        (second(20, 21), "a second run needs 0.68 of the CPU of before, at most 0.67 is allowed"),
        (second(1, 1, exit_code=2), "second 1: ended with exit code 2, 0 tasks reported a change"),
        (second(1, 1, status="changed"), "second 1: ended with exit code 0, 1 tasks reported a change"),
        (Run("second 1", 0, 9.0, 1.0, [on("a", "ok")]), "the hosts' CPU cannot be told"),
    ],
)
def test_dear_or_wrong_second_run_is_told(now: Run, complaint: str) -> None:
    (found,) = converge.pair_complaints([second(20, 40)], [now])
    assert complaint in found


def test_two_real_runs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The plugin and the sums on a real playbook: two local hosts, no lab."""
    (tmp_path / "play.yml").write_text(PLAYBOOK, encoding="utf-8")
    hosts = {name: {"ansible_connection": "local", "ansible_python_interpreter": sys.executable} for name in "ab"}
    (tmp_path / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
    figures = tmp_path / "figures.json"
    (tmp_path / "more.yml").write_text("told: true\n", encoding="utf-8")
    source = ["--keep-lab", "--inventory", str(tmp_path / "hosts.json"), "--playbook", str(tmp_path / "play.yml")]
    more = ["--variables", str(tmp_path / "more.yml")]
    code = converge.main([*source, *more, "--first", "3", "--second", "2", "--json", str(figures)])
    first, second = json.loads(figures.read_text(encoding="utf-8"))
    assert first["hosts"] == {"a": {"ok": 3}, "b": {"changed": 1, "ok": 1, "skipped": 1}}
    assert first["cpu_seconds"] > 0
    assert first["wall_seconds"] >= 0.2
    task, seconds, number = second["slowest"][0]
    assert (task, number) == ("Change", 2)
    assert 0.2 <= seconds < second["wall_seconds"]
    modules = {row["module"]: row for row in second["modules"]}
    assert modules["ansible.builtin.command"]["runs"] == 2
    assert 0 < modules["ansible.builtin.command"]["controller_cpu"] < second["cpu_seconds"]
    assert modules["(skipped)"]["runs"] == 1
    # Hosts that are no containers of this machine have no figure, instead of a wrong one.
    assert second["host_cpu_seconds"] == {}
    assert code == 1
    closing = capfd.readouterr().out.strip().splitlines()[-2:]
    assert closing[0] == "second run: a needed 3 tasks, at most 2 are allowed"
    assert closing[1] == "second run: 1 tasks reported a change: Change (b)"
