# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts as lost, and what a run of site.yml is said to have told."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.tests.error_budget.replace_hosts import (
    TRIMMED,
    Cluster,
    Contents,
    Lab,
    told,
)

ROW, KEY, ITEM = ("`shop`.`orders`", "1\tpaid"), ("kept:text:1", "0005"), (TRIMMED, "7\thello")
HELD = Contents(Counter([ROW, ROW, KEY, ITEM]))
RECAP = """
PLAY RECAP ****
db1                        : ok=7    changed={changed}    unreachable=0    failed=1    skipped=3    rescued=0    ignored=0
"""
REFUSED = "[ERROR]: Task failed: Action failed: MySQL: db1 is empty; nothing was changed: ..."


@pytest.mark.parametrize(
    ("after", "lost"),
    [
        ([ROW, ROW, KEY, ("more", "than before")], []),
        ([ROW, KEY, ITEM], [ROW]),
        ([ROW, ROW, (KEY[0], "another value"), ITEM], [KEY]),
        ([], [KEY, ROW, ROW]),
    ],
    ids=["the demo's oldest item", "one of two equal rows", "a key with another value", "everything"],
)
def test_what_was_there_before_and_is_not_after_is_lost(
    after: list[tuple[str, str]], lost: list[tuple[str, str]]
) -> None:
    assert sorted(set(HELD.lost(Contents(Counter(after))))) == sorted(set(lost))


def test_the_sentence_is_what_ansible_says_of_the_task_that_ended_the_run() -> None:
    assert told(f"PLAY\n{REFUSED}\nOrigin: x") == "MySQL: db1 is empty; nothing was changed: ..."
    assert told("no such line") == "no such line"


class Told(Lab):
    """A lab whose site.yml ends in a way."""

    def __init__(self, code: int, output: str) -> None:
        super().__init__(Path("inventory"))
        self.__dict__["end"] = (code, output)

    def playbook(self, *_words: object, **_options: object) -> tuple[int, str]:
        code, output = self.__dict__["end"]
        return int(code), str(output)


@pytest.mark.parametrize(
    ("code", "output", "failure"),
    [
        (2, REFUSED + RECAP.format(changed=0), None),
        (0, RECAP.format(changed=0), "it was not refused"),
        (2, REFUSED + RECAP.format(changed=2), "site.yml changed db1"),
        (
            2,
            "[ERROR]: Task failed: Action failed: something else" + RECAP.format(changed=0),
            "did not say 'db1 is empty'",
        ),
    ],
    ids=["refused", "went on", "changed something first", "another reason"],
)
def test_a_refusal_names_the_hosts_and_comes_before_any_change(code: int, output: str, failure: str | None) -> None:
    cluster = Cluster(Told(code, output), {})
    cluster.expect_refused("db1 replaced", {}, ["db1 is empty"])
    assert len(cluster.failures) == (failure is not None)
    assert all(str(failure) in said for said in cluster.failures)
