# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role that shares an address: keepalived's own word on its configuration, what is refused, and what is taken away."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.tests.checkers import check, need
from ansible_collections.siteops.webcluster.tests.pretended_hosts import Case, Run, play_role

# It asks the kernel for its interfaces, so it gets some of its own.
APART = "unshare --user --map-root-user --net sh -c {}"
INTERFACES = "ip link add eth0 type veth peer name other && ip address add 10.0.0.52/28 dev eth0"
PASSWORD = "s3cretVR"
SHARED: dict[str, Any] = {
    "keepalived_address": "10.0.0.60/28",
    "keepalived_host_address": "10.0.0.52",
    "keepalived_peers": ["10.0.0.53"],
    "keepalived_password": PASSWORD,
}
FACTS = {"interfaces": ["eth0"], "eth0": {"device": "eth0", "ipv4": {"address": "10.0.0.52"}}}


def case(variables: dict[str, Any], release: str = "13", **answers: dict[str, Any]) -> Case:
    return Case({**SHARED, **variables}, release, FACTS, answers)


GOOD = {
    "usual": case({}),
    "older": case({}, "12"),
    # As -e name=value gives them.
    "texts": case(
        {
            "keepalived_peers": ["10.0.0.53", "10.0.0.54", "10.0.0.55"],
            "keepalived_priority": "1",
            "keepalived_router_id": "255",
            "keepalived_password": "x",
            "keepalived_check_url": "http://10.0.0.52:8404/livez",
        }
    ),
}
WITHOUT = {
    "never": case({"keepalived_address": ""}),
    "no_more": case({"keepalived_address": ""}, stat={"stat": {"exists": True}}),
}
BAD: dict[str, tuple[Case, str]] = {
    "no_prefix": (
        case({"keepalived_address": "10.0.0.60"}),
        "keepalived_address is 10.0.0.60, expected an IPv4 address",
    ),
    "alone": (case({"keepalived_peers": []}), "keepalived_peers is empty, expected the addresses of the other load"),
    "elsewhere": (case({"keepalived_host_address": "10.0.0.51"}), "which no network interface of this host has;"),
    "no_password": (case({"keepalived_password": ""}), "keepalived_password is none of 1 to 8 letters and digits"),
    "kind": (case({"keepalived_router_id": "first"}), "keepalived_router_id"),
    "system": (case({}, "11"), "system runs Debian 11, but keepalived supports Debian 12, Debian 13, Debian sid: use"),
    "package": (case({}, preflight={"missing_packages": [], "findings": ["No package."]}), "No package."),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The role on a host for each input, named as the input."""
    cases = {**GOOD, **WITHOUT, **{name: of for name, (of, _words) in BAD.items()}}
    return play_role("keepalived", cases, tmp_path_factory.mktemp("keepalived"))


def asked(run: Run, name: str, folder: Path, part: str = "", instead: str = "") -> tuple[int, str]:
    """What keepalived says of the configuration, by the command of the role."""
    need("keepalived")
    need("curl")
    written = run.file(name, "keepalived.conf")
    command = f"{INTERFACES} && exec {written.arguments['validate'].replace('%s', f'{folder}/checked')}"
    answer = check(APART.format(shlex.quote(command)), written.content.replace(part, instead), folder)
    return answer.returncode, answer.stdout + answer.stderr


@pytest.mark.parametrize("name", GOOD)
def test_keepalived_accepts_the_file_without_a_word(name: str, run: Run, tmp_path: Path) -> None:
    assert run.refusal(name) == ""
    assert asked(run, name, tmp_path) == (0, "")


@pytest.mark.parametrize(
    ("part", "instead", "words"),
    [
        ("nopreempt", "preemptnot", "Unknown keyword 'preemptnot'"),
        ("interface eth0", "interface eth1", "interface eth1 for vrrp_instance webcluster doesn't exist"),
        ("/usr/bin/setpriv", "/usr/bin/setprivate", "Disabling track script haproxy since not found"),
    ],
)
def test_keepalived_refuses_a_broken_file_by_the_same_command(
    part: str, instead: str, words: str, run: Run, tmp_path: Path
) -> None:
    code, said = asked(run, "usual", tmp_path, part, instead)
    assert code != 0
    assert words in said


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_before_anything_is_changed(name: str, run: Run) -> None:
    assert BAD[name][1] in run.refusal(name)
    assert PASSWORD not in run.refusal(name)
    assert run.of(name, "apt") + run.of(name, "configured_service") == []


def test_b8_the_password_is_for_root_alone(run: Run) -> None:
    written = run.file("usual", "keepalived.conf")
    assert written.arguments["mode"] == "0600"
    assert "content" not in written.arguments
    assert f"auth_pass {PASSWORD}\n" in written.content


@pytest.mark.parametrize(
    ("unit", "setting"), [("keepalived", "PartOf=haproxy.service"), ("haproxy", "Wants=keepalived.service")]
)
def test_haproxy_and_keepalived_stop_and_start_together(unit: str, setting: str, run: Run, tmp_path: Path) -> None:
    need("systemd-analyze")
    folder = f"/etc/systemd/system/{unit}.service.d/"
    [written] = [
        file
        for file in run.one("usual", "configured_service")["files"]
        if file["path"].startswith(folder) and setting in file["content"].splitlines()
    ]
    # A run that brings them restarts nothing.
    assert written["at_start"]
    drop_in = tmp_path / f"{unit}.service.d" / "own.conf"
    drop_in.parent.mkdir()
    drop_in.write_text(written["content"], encoding="utf-8")
    asked_unit = check(
        "systemd-analyze verify --man=no %s", "[Service]\nExecStart=/bin/true\n", tmp_path, f"{unit}.service"
    )
    assert "own.conf" not in asked_unit.stderr


def test_who_has_the_address_keeps_it_until_haproxy_does_not_answer(run: Run) -> None:
    lines = [line.strip() for line in run.file("usual", "keepalived.conf").content.splitlines()]
    assert {"state BACKUP", "nopreempt", "vrrp_check_unicast_src", "enable_script_security"} <= set(lines)
    [script] = [line for line in lines if line.startswith("script ")]
    assert " --reuid=nobody " in script
    assert script.endswith(' http://127.0.0.1:8404/livez"')
    # With a weight a failed check would only lower the priority, which decides nothing here.
    assert not [line for line in lines if line.startswith("weight")]
    at = lines.index("unicast_peer {")
    assert lines[at + 1 : at + 3] == ["10.0.0.53", "}"]


def test_without_an_address_what_was_brought_is_taken_away(run: Run) -> None:
    assert run.refusal("no_more") + run.refusal("never") == ""
    [stopped, told] = run.of("no_more", "systemd_service")
    # Stopped as its unit says: clients go first.
    modules = [call.module.rpartition(".")[2] for call in run.calls if call.host == "no_more"]
    assert modules.index("systemd_service") < modules.index("file")
    assert told["daemon_reload"]
    assert (stopped["name"], stopped["state"], stopped["enabled"]) == ("keepalived", "stopped", False)
    removed = [file["path"] for file in run.of("no_more", "file")]
    brought = {file["path"] for file in run.one("usual", "configured_service")["files"]}
    # The last one tells that the rest is there, so an interrupted run goes on.
    assert (brought - set(removed), removed[-1]) == (set(), "/var/lib/webcluster-services/keepalived.json")
    assert [call.module for call in run.calls if call.host == "never"] == ["stat"]
