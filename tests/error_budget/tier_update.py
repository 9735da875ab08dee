# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rolling updates of a data tier of the lab to newer packages: one that succeeds, and one that fails on the replica before."""

from __future__ import annotations

from collections.abc import Sequence

from . import newer
from .cluster import ClusterError, Lab
from .rotate_secrets import changes

PLAYBOOK = "playbooks/rolling_update.yml"


def expected(primary: str, replica: str) -> list[str]:
    """What a run says in which both servers are updated."""
    order = f"Order: {replica}, then the primary moves from {primary} to {replica}, then {primary}."
    return [order, "Expected downtime: about 1 s for writers and at most 3 s", "VERDICT healthy"]


def finish(lab: Lab, tier: str, servers: Sequence[str], packages: Sequence[str], mark: str) -> None:
    """Every server has the newer packages, and a further run finds nothing to do."""
    for host in servers:
        newer.expect(lab, host, packages, mark)
    code, output = lab.playbook(PLAYBOOK, variables={"tier": tier})
    changed = changes(output)
    if code != 0 or changed:
        raise ClusterError(f"{PLAYBOOK}, run again, ended with {code} and {changed} changes; expected none:\n{output}")
    for host in servers:
        newer.forget(lab, host)


def upgrade(lab: Lab, tier: str, primary: str, replica: str, packages: Sequence[str]) -> None:
    """Update both servers while the tier is in use."""
    mark = newer.next_mark()
    for host in (primary, replica):
        newer.offer(lab, host, packages, mark)
    lab.expect(PLAYBOOK, expected(primary, replica), variables={"tier": tier})
    finish(lab, tier, (primary, replica), packages, mark)


def fail_and_upgrade(lab: Lab, tier: str, primary: str, replica: str, packages: Sequence[str]) -> None:
    """Update them where a package of the replica cannot be installed at first."""
    mark = newer.next_mark()
    newer.offer(lab, primary, packages, mark)
    newer.offer(lab, replica, packages, mark, "exit 1")
    refused = [
        f"{replica} could not be updated: Upgrade the server:",
        f"{primary} is the primary, nothing was changed on {primary}. Readers are kept from {replica}. Mend the cause and run again",
    ]
    lab.expect(PLAYBOOK, refused, fails=True, variables={"tier": tier})
    if len(newer.without(lab, primary, packages, mark)) < len(packages):
        raise ClusterError(f"{primary} was updated after {replica} had failed.")
    newer.offer(lab, replica, packages, mark)
    lab.expect(PLAYBOOK, expected(primary, replica), variables={"tier": tier})
    finish(lab, tier, (primary, replica), packages, mark)
