# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of an event while a replica is filled counts as wrong."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.siteops.webcluster.tests.error_budget import seeding

COPIED = "db2: receiving, 12 MB of about 26 MB\ndb2: done, 26 MB after 3 s\nfilled\ndb2 : ok=7 changed={changed}"
REFUSED = "[ERROR]: Task failed: Module failed: MySQL: make room; nothing was changed"


def verdict(
    monkeypatch: pytest.MonkeyPatch, code: int, output: str, longest: float = 0.01, differs: str = "", **expected: Any
) -> list[str]:
    class Writer:
        def __init__(self, *_words: object) -> None:
            """Writes nothing."""

        def end(self) -> dict[str, Any]:
            return {"writes": 200, "longest": longest, "next": 201, "seconds": 1.0}

    monkeypatch.setattr(seeding, "Writer", Writer)
    monkeypatch.setattr(seeding.Run, "unequal", lambda _run: differs)
    run = seeding.Run(seeding.Lab(), "db1", "db2")
    run.event("event", lambda: (code, output), **expected)
    assert run.next == 201
    return run.failures


@pytest.mark.parametrize(
    ("code", "output", "expected", "wrong"),
    [
        (0, COPIED.format(changed=3), {"says": ["filled"]}, []),
        (0, COPIED.format(changed=0), {"unchanged": True}, []),
        (2, REFUSED, {"expect": "make room"}, []),
        (2, REFUSED, {}, ["event: it failed: MySQL: make room; nothing was changed"]),
        (2, REFUSED, {"expect": "another"}, ["event: it did not say 'another'"]),
        (0, "make room", {"expect": "make room"}, ["event: it did not fail"]),
        (0, "ok", {"says": ["filled"]}, ["event: it did not say 'filled'"]),
        (0, COPIED.format(changed=3), {"unchanged": True}, ["event: it changed something"]),
        (0, "ok", {"longest": 1.5}, ["event: a write took 1.5 s"]),
        (0, "ok", {"differs": "1 is not 2"}, ["event: 1 is not 2"]),
    ],
)
def test_an_event_is_judged(
    monkeypatch: pytest.MonkeyPatch, code: int, output: str, expected: dict[str, Any], wrong: list[str]
) -> None:
    assert verdict(monkeypatch, code, output, **expected) == wrong


def test_the_last_line_of_the_copy_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    verdict(monkeypatch, 0, COPIED.format(changed=3))
    assert "| done, 26 MB after 3 s | 200 | 200 | 0.010 s | yes" in capsys.readouterr().out


class Process:
    """A program that goes on until it is interrupted."""

    returncode = 2

    def __init__(self, *_words: object, **_more: object) -> None:
        """Starts nothing."""

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_error: object) -> None:
        """Waits for nothing."""

    def poll(self) -> None:
        """Goes on."""

    def communicate(self, timeout: float) -> tuple[str, None]:
        return f"ended within {timeout} s", None


def test_a_copy_that_a_killed_run_left_is_not_taken_for_the_one_to_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = [2e7, 3e7, 0, 5e6, 1.2e7]

    left: list[int] = []
    monkeypatch.setattr(seeding.subprocess, "Popen", Process)
    monkeypatch.setattr(seeding.time, "sleep", lambda _seconds: None)
    monkeypatch.setattr(seeding.Run, "received", lambda _run: looks.pop(0))
    run = seeding.Run(seeding.Lab(), "db1", "db2")
    assert run.interrupted(lambda _process: left.append(len(looks))) == (2, "ended within 600 s")
    assert left == [0]
