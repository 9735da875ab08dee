# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller has of a site's repository before it is packed; with git itself, from a repository in a folder."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.tests.pretended_hosts import CHECKOUT

TASKS = CHECKOUT / "playbooks/tasks/release/checkout.yml"
# Two hosts, as the tasks are run for a whole cluster.
HOSTS = "web1,web2"


@dataclass
class Repository:
    """A repository with a release, and where it is checked out."""

    at: Path
    checkout: Path

    def git(self, *words: str) -> str:
        who = ("-c", "user.name=me", "-c", "user.email=me@here.example")
        done = subprocess.run(["git", *who, *words], cwd=self.at, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, text: str) -> str:
        (self.at / "index.php").write_text(text, encoding="utf-8")
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", text)
        return self.git("rev-parse", "HEAD")

    def check_out(self, version: str, *options: str, url: str = "") -> subprocess.CompletedProcess[str]:
        wanted = {
            "name": "shop",
            "url": url or str(self.at),
            "folder": str(self.checkout),
            "version": version,
            "key_file": "",
        }
        play = [
            {
                "hosts": "all",
                "connection": "local",
                "gather_facts": False,
                "vars": {"ansible_python_interpreter": sys.executable, "__webcluster_checkouts": [wanted]},
                "tasks": [{"name": "Check out", "ansible.builtin.import_tasks": str(TASKS)}],
            }
        ]
        playbook = self.at.parent / "play.yml"
        playbook.write_text(json.dumps(play), encoding="utf-8")
        command = [sys.executable, "-m", "ansible", "playbook", "--inventory", HOSTS, str(playbook), *options]
        return subprocess.run(command, cwd=CHECKOUT, check=False, capture_output=True, text=True)

    def content(self) -> dict[str, str]:
        return {path.name: path.read_text(encoding="utf-8") for path in self.checkout.iterdir() if path.is_file()}


@pytest.fixture(name="repository")
def fixture_repository(tmp_path: Path) -> Repository:
    found = Repository(tmp_path / "shop", tmp_path / "cache/shop")
    found.at.mkdir()
    found.git("init", "--quiet", "--initial-branch", "main")
    found.commit("one")
    found.git("tag", "v1")
    return found


def test_each_version_is_there_as_git_has_it_and_without_what_was_built_for_another_one(repository: Repository) -> None:
    second = repository.commit("two")
    repository.git("branch", "feature/x")
    assert repository.check_out("v1").returncode == 0
    assert repository.content() == {"index.php": "one"}
    (repository.checkout / "index.php").write_text("built", encoding="utf-8")
    (repository.checkout / "built.js").write_text("built", encoding="utf-8")
    assert repository.check_out(second[:10]).returncode == 0
    assert repository.content() == {"index.php": "two"}
    repository.git("checkout", "--quiet", "feature/x")
    repository.commit("three")
    repository.git("checkout", "--quiet", "main")
    assert repository.check_out("feature/x").returncode == 0
    assert repository.content() == {"index.php": "three"}
    repository.commit("four")
    assert repository.check_out("main").returncode == 0
    assert repository.content() == {"index.php": "four"}


def test_check_mode_has_the_code_too_since_the_plan_needs_its_name(repository: Repository) -> None:
    done = repository.check_out("v1", "--check")
    assert done.returncode == 0, done.stdout
    assert repository.content() == {"index.php": "one"}
    assert "changed=0" in done.stdout
    repository.commit("two")
    repository.git("tag", "--force", "v1")
    assert repository.check_out("v1", "--check").returncode == 0
    assert repository.content() == {"index.php": "two"}


def test_what_is_not_there_is_one_sentence(repository: Repository) -> None:
    for version, url, words in (
        ("v9", "", f"Site shop: version v9 of {repository.at} cannot be read on the controller (error: pathspec 'v9'"),
        ("v1", "/no/such/folder", "Site shop: version v1 of /no/such/folder cannot be read on the controller ("),
    ):
        done = repository.check_out(version, url=url)
        said = " ".join(done.stdout.split())
        assert done.returncode != 0
        assert words in said.replace("''", "'")
        assert "expected a tag, branch or commit of a repository that git can read there" in said
