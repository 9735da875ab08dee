# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Plan how the primary of the MySQL tier moves, or say in a sentence each why it must not."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.siteops.webcluster.plugins.plugin_utils._arguments import Member
from ansible_collections.siteops.webcluster.plugins.plugin_utils._topology import Topology
from ansible_collections.siteops.webcluster.plugins.plugin_utils._variables import Settings, all_options

# Two promotions within this time are more likely a mistake than two dead primaries.
BLOCK_SECONDS = 3600
RUNNING = "Yes"

# What one server is: `found` of the module mysql_primary, with `reached` where its host answers.
Look = Mapping[str, t.Any]
HostVars = Mapping[str, Mapping[str, t.Any]]


class Login(t.TypedDict):
    """How a server asks another one, in the way of the replication."""

    host: str
    name: str
    port: int
    user: str
    tls: str


class MovePlan(t.TypedDict):
    """What is going to happen, for the tasks that do it and for people; with errors nothing may be done."""

    errors: list[str]
    text: list[str]
    # Empty where nobody hands over.
    old: str
    new: str
    # Further replicas, which follow the new primary.
    others: list[str]
    action: str  # hand_over | reopen | follow | promote | nothing
    # What the new primary is called and asked by the others, and the old one by the new one.
    logins: dict[str, Login]
    # Whether the old primary's host can be reached to fence it, or has to start its server.
    reach_old: bool
    start_old: bool
    # Whether its replica knows how far it has read the dead primary's binary logs.
    count_unsent: bool


def members_of(topology: Topology) -> dict[str, Member]:
    state = topology["engines"]["mysql"]
    return {member["name"]: member for member in [state["primary"], *state["replicas"]]}


def move_logins(topology: Topology, hostvars: HostVars) -> dict[str, Login]:
    """Return how each server of the tier is asked by the others."""
    members = members_of(topology)
    settings = Settings({name: hostvars[name] for name in members}, all_options())
    return {
        name: {
            "host": member["address"],
            "name": name,
            "port": int(member["port"]),
            "user": str(settings.value(name, "mysql_server_replication_user")),
            "tls": str(settings.value(name, "mysql_server_replication_tls")),
        }
        for name, member in members.items()
    }


def looks_of(topology: Topology, hostvars: HostVars) -> dict[str, Look]:
    """Return what each server said of itself; one whose host was not reached says nothing."""
    looks: dict[str, Look] = {}
    for name in members_of(topology):
        result = hostvars[name].get("__webcluster_member") or {}
        found = result.get("found") or {"answers": False, "said": result.get("msg") or "its host cannot be reached"}
        looks[name] = {**found, "reached": "found" in result}
    return looks


def source_of(look: Look, logins: Mapping[str, Login]) -> str:
    """Whom a replica follows, by name where it is one of ours."""
    follows = look.get("follows") or {}
    names = [name for name, login in logins.items() if follows and follows.get("host") in (login["host"], name)]
    return names[0] if names else str(follows.get("host") or "")


def is_open(look: Look) -> bool:
    """Whether a server claims to be the primary, and takes writes."""
    return bool(look["answers"]) and not look["follows"] and not look["closed"]


def claimants(looks: Mapping[str, Look]) -> list[str]:
    return [name for name, look in looks.items() if look["answers"] and not look["follows"]]


def _plan(action: str, old: str, new: str, looks: Mapping[str, Look], logins: dict[str, Login]) -> MovePlan:
    return {
        "errors": [],
        "text": [],
        "old": old,
        "new": new,
        "others": [name for name, look in looks.items() if name not in (old, new) and look["answers"]],
        "action": action,
        "logins": logins,
        "reach_old": bool(old) and bool(looks[old]["reached"]),
        "start_old": False,
        "count_unsent": False,
    }


def _silent(looks: Mapping[str, Look], names: Iterable[str]) -> list[str]:
    return [f"MySQL on {name} does not answer: {looks[name]['said']}." for name in names if not looks[name]["answers"]]


# --- A planned move -------------------------------------------------------------------------------------------------


def switchover_plan(topology: Topology, hostvars: HostVars, to: str) -> MovePlan:
    """Plan the move of the primary to one of its replicas, or the rest of a move that was interrupted."""
    logins, looks = move_logins(topology, hostvars), looks_of(topology, hostvars)
    plan = _plan("hand_over", "", to, looks, logins)
    plan["errors"] = _silent(looks, looks)
    if plan["errors"]:
        plan["errors"].append(
            "A planned move needs every server of the tier; where the primary is dead, see promote.yml."
        )
        return plan
    claims = claimants(looks)
    open_ones = [name for name in claims if not looks[name]["closed"]]
    if len(open_ones) > 1:
        plan["errors"].append(
            f"{' and '.join(open_ones)} both take writes as primaries, expected one: writes of the applications go to none;"
            " make the one without writes that you want to keep a replica, by rejoin.yml with -e to= that server."
        )
    elif not claims:
        plan["errors"].append("No server of the tier is a primary; see status.yml.")
    elif to in claims:
        _go_on(plan, claims, looks, to)
    else:
        _hand_over(plan, claims, looks, hostvars, to)
    plan["text"] = _switchover_text(plan, looks)
    return plan


def _go_on(plan: MovePlan, claims: Sequence[str], looks: Mapping[str, Look], to: str) -> None:
    """The server is a primary already: what is left of a move to it, or a move away from it that is to be taken back."""
    others = [name for name in claims if name != to]
    if is_open(looks[to]):
        plan["action"] = "follow"
        plan["others"] = [name for name in looks if name != to and source_of(looks[name], plan["logins"]) != to]
        if not plan["others"]:
            plan["errors"].append(f"{to} is the primary already; expected one of its replicas.")
    elif not others:
        plan["action"], plan["old"] = "reopen", to
    elif is_open(looks[others[0]]):
        plan["errors"].append(
            f"The move to {others[0]} has not ended, {to} does not follow it yet; end it first, with -e to={others[0]}."
        )
    else:
        # Both closed, and neither follows: interrupted after the new one had left the old one.
        plan["action"], plan["old"] = "hand_over", others[0]
    plan["others"] = [name for name in plan["others"] if name != plan["old"]]


def _hand_over(plan: MovePlan, claims: Sequence[str], looks: Mapping[str, Look], hostvars: HostVars, to: str) -> None:
    if len(claims) > 1:
        begun = [name for name in claims if is_open(looks[name])]
        hint = f"; end it first, with -e to={begun[0]}" if begun else ""
        plan["errors"].append(f"A move between {' and '.join(claims)} has not ended{hint}.")
        return
    old = plan["old"] = claims[0]
    plan["others"] = [name for name in plan["others"] if name != old]
    plan["errors"] = [*_unfit(looks, plan["logins"], old, to), *_unhealthy(hostvars[to], looks[old]["closed"], to)]
    if looks[old]["long_transactions"]:
        plan["errors"].append(
            f"{looks[old]['long_transactions']} transactions on {old} have changed rows and go on for up to"
            f" {looks[old]['long_seconds']} s; expected none longer than 5 s: wait for them, or end them."
        )
    for name in (old, to):
        if looks[name].get("peer_problem"):
            plan["errors"].append(f"{name} could not replicate afterwards: {looks[name]['peer_problem']}.")


def _unfit(looks: Mapping[str, Look], logins: Mapping[str, Login], old: str, to: str) -> list[str]:
    """Say why a server cannot be the primary."""
    new, former = looks[to], looks[old]
    follows = new["follows"] or {}
    errors = []
    if source_of(new, logins) != old:
        errors.append(
            f"{to} replicates from {source_of(new, logins)}, not from {old}; expected a replica of the primary."
        )
    if follows.get("channels", 1) > 1:
        errors.append(f"{to} replicates from several primaries; expected one.")
    if not new["logs"]:
        errors.append(f"{to} has no binary log (log_bin), so nobody could replicate from it.")
    elif not new["logs_received"]:
        errors.append(f"{to} does not log what it receives (log_slave_updates, log_replica_updates); expected ON.")
    if former["answers"]:
        if new["flavor"] != former["flavor"]:
            errors.append(f"{to} runs {new['flavor']}, {old} runs {former['flavor']}; expected the same.")
        elif new["version"][:2] < former["version"][:2]:
            versions = [".".join(map(str, look["version"])) for look in (new, former)]
            errors.append(f"{to} runs {versions[0]}, which is older than {versions[1]} of {old}; upgrade {to} first.")
        if new["server_id"] == former["server_id"]:
            errors.append(
                f"{to} and {old} have the same server_id, {new['server_id']}; expected one of its own for each."
            )
    if follows.get("filters"):
        errors.append(f"{to} replicates a part only ({', '.join(sorted(follows['filters']))}); expected all of it.")
    if follows.get("delay"):
        errors.append(f"{to} is {follows['delay']} s behind on purpose; expected a replica without delay.")
    if follows.get("applies") != RUNNING:
        errors.append(f"{to} does not apply what it receives: {follows.get('error') or 'its applier is stopped'}.")
    return errors


def _unhealthy(variables: Mapping[str, t.Any], unfinished: bool, to: str) -> list[str]:
    """Say what replication_status found; a primary that has closed itself refuses the canary, which is no finding."""
    verdict = variables.get("__webcluster_candidate") or {}
    if not verdict or verdict.get("healthy"):
        return []
    reasons = [
        reason["message"]
        for reason in verdict.get("reasons") or []
        if reason.get("severity") == "error" and not (unfinished and reason.get("check") == "canary")
    ]
    if unfinished and not reasons:
        return []
    return [f"{to} is {verdict.get('state')}: {' '.join(reasons) or verdict.get('msg')}; expected a healthy replica."]


def _switchover_text(plan: MovePlan, looks: Mapping[str, Look]) -> list[str]:
    old, new, others = plan["old"], plan["new"], plan["others"]
    if plan["errors"]:
        return []
    if plan["action"] == "reopen":
        return [f"{new} closed itself for a move that did not happen. It is opened for writes again."]
    if plan["action"] == "follow":
        return [f"{new} is the primary; {', '.join(others)} follow it from now on. Expected downtime: none."]
    begun = (
        f"{old} is closed for writes already, by a run that was interrupted; this one goes on."
        if looks[old]["closed"]
        else ""
    )
    steps = [
        f"The primary moves from {old} to {new}. Expected downtime: about 1 s for writers and at most 3 s, none for readers.",
        f"1. {old} closes for writes; a statement that goes on for 2 s there ends the move, and nothing has changed.",
        f"2. {new} applies all that {old} has written, and opens; where it cannot within 10 s, {old} is opened again.",
        f"3. {old} follows {new}." + (f" {', '.join(others)} follow it as well." if others else ""),
        "4. A canary goes from the new primary to each replica. The data proxies follow by themselves.",
        "Stopped by: a replica that is behind, broken or older, a server that does not answer, a transaction of more than 5 s.",
    ]
    return [begun, *steps] if begun else steps


# --- An emergency ---------------------------------------------------------------------------------------------------


def promotion_plan(
    topology: Topology, hostvars: HostVars, to: str, now: float, accept_data_loss: bool = False
) -> MovePlan:
    """Plan the promotion of a replica whose primary is dead."""
    logins, looks = move_logins(topology, hostvars), looks_of(topology, hostvars)
    plan = _plan("promote", "", to, looks, logins)
    plan["errors"] = _silent(looks, [to])
    if plan["errors"]:
        return plan
    new = looks[to]
    if is_open(new):
        plan["errors"].append(f"{to} is a primary already, and open for writes; expected a replica.")
        return plan
    old = plan["old"] = source_of(new, logins) if new["follows"] else str(new["promotion"].get("former_primary") or "")
    if old not in looks:
        plan["errors"].append(
            f"{to} replicates from {old or 'nobody'}, which is none of the tier; expected a replica of its primary."
        )
        return plan
    if looks[old]["answers"]:
        # What could be lost is a question about a dead one.
        plan["errors"].append(
            f"The primary {old} lives and answers; move it by switchover.yml, which loses nothing, or stop it first."
        )
        return plan
    plan["reach_old"] = bool(looks[old]["reached"])
    plan["count_unsent"] = bool(new["follows"] and new["follows"]["file"])
    plan["others"] = [name for name in plan["others"] if name != old]
    living = [name for name in claimants(looks) if name not in (old, to)]
    if living:
        plan["errors"].append(f"{' and '.join(living)} is a primary already; expected none that lives.")
    if new["follows"]:
        plan["errors"] += _unfit(looks, logins, old, to)
    recent = [look["promotion"]["at"] for look in looks.values() if (look.get("promotion") or {}).get("at")]
    ago = int(now - max(recent)) if recent else BLOCK_SECONDS
    # The same promotion, interrupted, may go on.
    if ago < BLOCK_SECONDS and new["follows"] and not accept_data_loss:
        plan["errors"].append(
            f"A server of this tier was promoted {ago // 60} minutes ago, expected an hour at least between two promotions: find out what"
            " happens first; accept_data_loss=true goes on all the same."
        )
    plan["errors"] += _further(looks, plan["others"], to, accept_data_loss)
    plan["text"] = _promotion_text(plan, hostvars, looks, accept_data_loss)
    return plan


def _further(looks: Mapping[str, Look], others: Sequence[str], to: str, accept_data_loss: bool) -> list[str]:
    """Say that another replica has received more; compared by the place in the dead primary's logs."""

    def place(name: str) -> tuple[int, int]:
        follows = looks[name]["follows"] or {}
        # binlog.1000000 comes after binlog.999999.
        number = str(follows.get("file") or "").rpartition(".")[2]
        return int(number) if number.isdigit() else 0, int(follows.get("file_position") or 0)

    ahead = [name for name in others if place(name) > place(to)]
    if not ahead or accept_data_loss:
        return []
    return [f"{' and '.join(ahead)} received more from the dead primary than {to}; promote {ahead[0]} instead."]


def _promotion_text(plan: MovePlan, hostvars: HostVars, looks: Mapping[str, Look], accept_data_loss: bool) -> list[str]:
    """Say what could be lost, and add to the errors that nobody accepted it."""
    old, new = plan["old"], plan["new"]
    unsent = hostvars[old].get("__webcluster_unsent") or {}
    if unsent.get("done"):
        count = int(unsent["transactions"])
        names = f" ({', '.join(unsent['gtids'])}{' ...' if count > len(unsent['gtids']) else ''})" if count else ""
        loss = f"{count} transactions in the binary logs of {old} did not arrive at {new}{names}." if count else ""
        told = loss or f"Nothing is lost: {new} has all transactions that are in the binary logs of {old}."
    else:
        why = unsent.get("msg") or looks[old]["said"]
        loss = told = (
            f"How many transactions of {old} did not arrive at {new} cannot be told, as its binary logs cannot be read ({why}): all that"
            " it took after the connection ended could be lost."
        )
    if loss and not accept_data_loss:
        plan["errors"].append(f"{loss} Bring {old} back, or accept the loss with -e accept_data_loss=true.")
    fence = (
        f"{old} is fenced: it is killed where it runs, and closed for writes after its next start."
        if plan["reach_old"]
        else f"{old} cannot be fenced, as its host is not reached: keep it off. Should it come back open, the data proxies send writes to"
        " none until rejoin.yml has made it a replica."
    )
    others = plan["others"]
    return [
        told,
        f"1. {fence}",
        f"2. {new} applies all that it received, keeps its old coordinates in a file, and opens for writes.",
        *([f"3. {', '.join(others)} follow {new}."] if others else []),
        f"Afterwards: rejoin.yml with -e to={old} makes it a replica again.",
    ]


# --- The old primary comes back -------------------------------------------------------------------------------------


def rejoin_plan(topology: Topology, hostvars: HostVars, to: str) -> MovePlan:
    """Plan how a former primary becomes a replica of the present one."""
    logins, looks = move_logins(topology, hostvars), looks_of(topology, hostvars)
    plan = _plan("follow", to, "", looks, logins)
    plan["others"] = []
    open_ones = [name for name in looks if name != to and is_open(looks[name])]
    if len(open_ones) != 1:
        said = f"{' and '.join(open_ones)} take writes" if open_ones else "no other server takes writes"
        plan["errors"].append(f"Expected one primary that {to} could follow: {said}.")
        return plan
    new = plan["new"] = open_ones[0]
    back = looks[to]
    if not back["reached"]:
        plan["errors"].append(f"The host {to} cannot be reached over SSH.")
    elif not back["answers"]:
        plan["start_old"] = True
        plan["text"] = [f"MySQL on {to} does not run: it is started, closed for writes."]
    elif back["follows"]:
        source = source_of(back, logins)
        if source == new and back["follows"]["receives"] == back["follows"]["applies"] == RUNNING:
            plan["action"] = "nothing"
            plan["text"] = [f"{to} is a replica of {new} already."]
            return plan
        if source != new:
            plan["text"] = [f"{to} replicates from {source}; it is moved to {new}."]
    plan["text"] += [
        f"{to} becomes a replica of the primary {new}, unless it has transactions that {new} has not; those are named and exported."
        " Expected downtime: none."
    ]
    return plan
