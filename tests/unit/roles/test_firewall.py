# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of the firewall role for many openings, nft's word on them, and when they are written."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.tests.checkers import check, need
from ansible_collections.siteops.webcluster.tests.pretended_hosts import Case, Run, play_role

# Rules are for a network; nft asks the kernel, so it gets one of its own.
APART = "unshare --user --map-root-user --net"
FLOWS = {"firewall_flows": [{"port": 3306, "sources": ["10.0.0.4", "10.0.0.5"], "purpose": "MySQL"}]}
FORMER = [
    {"protocol": "tcp", "port": 22, "sources": ["0.0.0.0/0", "::/0"], "purpose": "SSH"},
    {"protocol": "tcp", "port": 3306, "sources": ["10.0.0.6"], "purpose": "MySQL"},
]
LOOK = {
    "nftables": True,
    "loaded": True,
    "openings": None,
    "ssh_ports": [22],
    "connection": {"address": "192.0.2.7", "port": 22},
    "listening": [{"port": 22, "program": "sshd"}, {"port": 9100, "program": "node_exporter"}],
}


def case(variables: dict[str, Any], **look: Any) -> Case:
    return Case(variables, answers={"firewall_info": {**LOOK, **look}})


KEEP = {"firewall_keep_former": True}
CASES = {
    "closed": case({}),
    "flows": case(FLOWS),
    "own": case(
        {
            **FLOWS,
            "firewall_openings": [
                {"port": 443},
                {"port": 51820, "protocol": "udp", "sources": ["2001:db8::/32"], "purpose": "WireGuard, for us"},
                {"port": 8080, "sources": ["10.1.0.0/16", "2001:db8::7"]},
                {"port": 9100, "sources": ["0.0.0.0/0"]},
            ],
            "firewall_ssh_sources": ["192.0.2.0/24"],
        },
        ssh_ports=[22, 2222],
    ),
    "vrrp": case({"firewall_vrrp_sources": ["10.0.0.53", "10.0.0.54"]}),
    "first": case({**FLOWS, **KEEP}),
    "begin": case({**FLOWS, **KEEP}, openings=FORMER),
    "end": case(FLOWS, openings=FORMER),
    "same": case({"firewall_flows": FORMER[1:], **KEEP}, openings=FORMER),
    "flushed": case({"firewall_flows": FORMER[1:]}, openings=FORMER, loaded=False),
    "bare": case({}, nftables=False, loaded=False),
    "off": case({"firewall_enabled": False}, openings=FORMER),
    "never": case({"firewall_enabled": False}),
    "by_console": case({"firewall_ssh_sources": ["10.0.9.0/24"]}, connection=None),
}
WRITTEN = [name for name in CASES if name not in ("first", "off", "never")]
REFUSED = {
    "locked": (
        case({"firewall_ssh_sources": ["10.0.9.0/24"]}, openings=FORMER),
        "The firewall would leave out 192.0.2.7, from where this run comes to port 22",
    ),
    "locked_by_former": (
        # What is open until the end of the run does not help afterwards.
        case({**KEEP, "firewall_ssh_sources": ["10.0.9.0/24"]}, openings=FORMER),
        "The firewall would leave out 192.0.2.7",
    ),
    "a_name": (
        case({"firewall_openings": [{"port": 80, "sources": ["web1"]}]}),
        "firewall_openings lets web1 in to port 80, expected addresses and networks",
    ),
    "a_port": (case({"firewall_openings": [{"port": 70000}]}), "firewall_openings holds port 70000"),
    "a_quote": (
        case({"firewall_openings": [{"port": 80, "purpose": 'x" drop'}]}),
        'A purpose may have letters, digits, blanks and . , \' _ - only: change "x\\" drop".',
    ),
    "a_name_for_vrrp": (
        case({"firewall_vrrp_sources": ["10.0.0.53", "lb2", "fd00::53"]}),
        "firewall_vrrp_sources holds lb2, fd00::53, expected IPv4 addresses and networks such as 10.0.0.53: correct it.",
    ),
    "a_protocol": (
        case({"firewall_openings": [{"port": 80, "protocol": "sctp"}]}),
        "value of protocol must be one of: tcp, udp, got: sctp found in firewall_openings",
    ),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    played = play_role("firewall", CASES, tmp_path_factory.mktemp("firewall"))
    assert {name: played.refusal(name) for name in CASES} == dict.fromkeys(CASES, "")
    return played


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return play_role(
        "firewall", {name: of for name, (of, _words) in REFUSED.items()}, tmp_path_factory.mktemp("refused")
    )


def accepted(run: Run, name: str) -> list[str]:
    """The rules that let somebody in by a port."""
    rules = [line.strip() for line in run.file(name, "rules.nft").content.splitlines()]
    return [rule for rule in rules if re.search(r"\bdport \d+ accept", rule) and "sport" not in rule]


@pytest.mark.parametrize("name", WRITTEN)
def test_nft_accepts_the_rules(run: Run, name: str, tmp_path: Path) -> None:
    need("nft")
    written = run.file(name, "rules.nft")
    asked = check(f"{APART} {written.arguments['validate']}", written.content, tmp_path)
    assert asked.returncode == 0, asked.stderr


def test_vrrp_is_let_in_from_those_who_share_an_address(run: Run) -> None:
    def about(name: str) -> list[str]:
        return [line.strip() for line in run.file(name, "rules.nft").content.splitlines() if "112" in line]

    assert about("vrrp") == ["ip saddr { 10.0.0.53, 10.0.0.54 } meta l4proto 112 accept"]
    # Where nobody is known, load balancers that somebody else has set up agree as they did.
    assert about("closed") == ["meta l4proto 112 accept"]


def test_nft_refuses_broken_rules_by_the_same_command(run: Run, tmp_path: Path) -> None:
    need("nft")
    written = run.file("flows", "rules.nft")
    asked = check(f"{APART} {written.arguments['validate']}", written.content.replace("dport", "dports"), tmp_path)
    assert asked.returncode != 0
    assert "syntax error" in asked.stderr


def test_only_what_is_named_is_let_in(run: Run) -> None:
    assert accepted(run, "closed") == ['tcp dport 22 accept comment "SSH"']
    assert accepted(run, "flows") == [
        'tcp dport 22 accept comment "SSH"',
        'ip saddr { 10.0.0.4/31 } tcp dport 3306 accept comment "MySQL"',
    ]
    assert accepted(run, "own") == [
        'ip saddr { 192.0.2.0/24 } tcp dport 22 accept comment "SSH"',
        "tcp dport 443 accept",
        'ip saddr { 192.0.2.0/24 } tcp dport 2222 accept comment "SSH"',
        'ip saddr { 10.0.0.4/31 } tcp dport 3306 accept comment "MySQL"',
        "ip saddr { 10.1.0.0/16 } tcp dport 8080 accept",
        "ip6 saddr { 2001:db8::7 } tcp dport 8080 accept",
        "ip saddr { 0.0.0.0/0 } tcp dport 9100 accept",
        'ip6 saddr { 2001:db8::/32 } udp dport 51820 accept comment "WireGuard, for us"',
    ]


def test_the_rest_is_dropped_and_no_other_table_is_named(run: Run) -> None:
    text = run.file("own", "rules.nft").content
    rules = [line.strip() for line in text.splitlines()]
    assert "type filter hook input priority filter; policy drop;" in rules
    assert rules[-3] == "counter reject with icmpx admin-prohibited"
    assert set(re.findall(r"(?m)^\s*(?:delete )?table (.+?)(?: \{)?$", text)) == {"inet siteops_webcluster"}
    assert "flush" not in text
    assert not re.search(r"\bct (state|status)\b", text)


def test_a_run_of_a_cluster_opens_first_and_closes_at_its_end(run: Run) -> None:
    mysql = 'tcp dport 3306 accept comment "MySQL"'
    assert f"ip saddr {{ 10.0.0.4/31, 10.0.0.6 }} {mysql}" in accepted(run, "begin")
    assert f"ip saddr {{ 10.0.0.4/31 }} {mysql}" in accepted(run, "end")
    # Without a table everybody may come, and does so until the end.
    assert run.of("first", "configured_service") == []


def test_the_openings_are_kept_for_the_next_run(run: Run) -> None:
    kept = json.loads(run.file("same", "openings.json").content)
    assert kept == FORMER
    assert run.of("same", "systemd_service") == []


def test_a_table_that_was_flushed_is_loaded_again(run: Run) -> None:
    assert run.one("flushed", "systemd_service")["state"] == "reloaded"
    assert run.of("flows", "systemd_service") == []


def test_nftables_is_installed_where_it_is_needed(run: Run) -> None:
    assert run.one("bare", "apt")["name"] == "nftables"
    assert run.of("flows", "apt") + run.of("first", "apt") + run.of("never", "apt") == []


def test_what_is_closed_is_told_once(run: Run) -> None:
    said = " ".join(run.output.split())
    assert (
        "flows lets in what is needed from now on. Closed to others is what listens at port 9100 (node_exporter):"
        in said
    )
    for name in ("first", "begin", "end", "own"):
        assert f"{name} lets in what is needed" not in said


def test_switched_off_it_takes_its_table_and_files_away(run: Run) -> None:
    stopped = run.of("off", "systemd_service")[0]
    assert (stopped["name"], stopped["state"], stopped["enabled"]) == ("webcluster-firewall", "stopped", False)
    gone = [call["path"] for call in run.of("off", "file")]
    assert gone[-1] == "/etc/webcluster-firewall"
    assert run.of("off", "configured_service") + run.of("never", "file") == []


def test_systemd_accepts_the_units(run: Run, tmp_path: Path) -> None:
    need("systemd-analyze")
    unit = run.file("flows", "webcluster-firewall.service").content
    asked = check("systemd-analyze verify --man=no %s", unit, tmp_path, "webcluster-firewall.service")
    assert "webcluster-firewall.service:" not in asked.stderr
    change = tmp_path / "nftables.service.d" / "webcluster-firewall.conf"
    change.parent.mkdir()
    change.write_text(run.file("flows", "nftables.service.d/webcluster-firewall.conf").content, encoding="utf-8")
    asked = check(
        "systemd-analyze verify --man=no %s", "[Service]\nExecStart=/bin/true\n", tmp_path, "nftables.service"
    )
    assert "webcluster-firewall.conf" not in asked.stderr


@pytest.mark.parametrize("name", list(REFUSED))
def test_bad_input_is_refused_before_anything_is_changed(refused: Run, name: str) -> None:
    assert REFUSED[name][1] in refused.refusal(name)
    assert refused.of(name, "apt") + refused.of(name, "configured_service") == []
