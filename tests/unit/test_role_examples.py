# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of the roles' READMEs, run as they stand there."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
import yaml
from ansible_collections.siteops.webcluster.tests.pretended_hosts import CHECKOUT, Answer, Run, facts, run_playbook

READMES = {path.parent.name: path for path in sorted((CHECKOUT / "roles").glob("*/README.md"))}
# What a role asks its host first.
LOOKS = ("preflight", "firewall_info")


def examples() -> dict[str, dict[str, Any]]:
    """The plays of all READMEs by role and number; a block of variables is no play."""
    found = {}
    for role, readme in READMES.items():
        blocks = re.findall(r"```yaml\n(.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)
        plays = [play for block in map(yaml.safe_load, blocks) if isinstance(block, list) for play in block]
        for number, play in enumerate(plays):
            found[f"{role}-{number}"] = play
    return found


EXAMPLES = examples()
MISSPELT = "redis_replica-0"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Each example on a host of its name, and then one with a wrong variable, which ends the run."""
    folder = tmp_path_factory.mktemp("examples")
    wrong = copy.deepcopy(EXAMPLES[MISSPELT])
    wrong["roles"][0]["redis_server_bind_adress"] = "10.0.0.36"
    plays = [{**play, "hosts": name} for name, play in [*EXAMPLES.items(), ("misspelt", wrong)]]
    playbook = folder / "play.yml"
    playbook.write_text(yaml.safe_dump(plays), encoding="utf-8")
    vaulted = dict.fromkeys(re.findall(r"\bvault_\w+", playbook.read_text(encoding="utf-8")), "a-long-enough-password")
    # VRRP sends no more.
    vaulted["vault_keepalived_password"] = "8letters"
    hosts = {play["hosts"]: vaulted for play in plays}
    eth0 = {"device": "eth0", "ipv4": {"address": "10.0.0.52"}}
    return run_playbook(
        playbook,
        {"all": {"hosts": hosts}},
        [Answer("setup", facts(more={"interfaces": ["eth0"], "eth0": eth0}))],
        folder,
    )


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_runs_to_its_end(name: str, run: Run) -> None:
    assert sum(len(run.of(name, look)) for look in LOOKS) == 1, run.output
    assert re.search(rf"^{re.escape(name)} +: ok=\d+ .* failed=0 ", run.output, re.MULTILINE), run.output


def test_misspelt_variable_beside_a_role_is_refused(run: Run) -> None:
    assert run.of("misspelt", "preflight") == []
    assert "redis_server_bind_adress" in run.output
