# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ipaddress
import pathlib

import pytest
from ansible_collections.siteops.webcluster.lab import labtool

CHECKOUT = pathlib.Path(__file__).resolve().parents[3]
SUBNETS = [ipaddress.IPv4Network("10.0.0.0/28"), ipaddress.IPv4Network("10.0.0.16/28")]


def test_the_tutorial_cluster_has_its_names_addresses_and_four_subnets() -> None:
    hosts = labtool.load_hosts(CHECKOUT / "inventory/lab", "10.0.0")
    assert {host.name: str(host.address) for host in hosts} == {
        "centoshaproxy": "10.0.0.52",
        "centosweb1": "10.0.0.4",
        "centosweb2": "10.0.0.5",
        "centosweb3": "10.0.0.6",
        "centosmysql1": "10.0.0.20",
        "centosmysql2": "10.0.0.21",
        "centosredis1": "10.0.0.36",
        "centosredis2": "10.0.0.37",
    }
    cluster = labtool.Cluster("lab", hosts, pathlib.Path("/nowhere"))
    assert [str(subnet) for subnet in cluster.subnets] == [
        "10.0.0.0/28",
        "10.0.0.16/28",
        "10.0.0.32/28",
        "10.0.0.48/28",
    ]


def test_the_prefix_moves_every_host() -> None:
    assert {str(host.address)[:8] for host in labtool.load_hosts(CHECKOUT / "inventory/lab", "10.77.8")} == {"10.77.8."}


def test_a_host_without_address_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / "hosts.yml").write_text("all:\n  hosts:\n    db1:\n")
    with pytest.raises(labtool.LabError, match="Lab host db1 has ansible_host ''; expected an IPv4 address"):
        labtool.load_hosts(tmp_path, "10.0.0")


def test_a_folder_without_inventory_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(labtool.LabError, match="does not exist"):
        labtool.load_hosts(tmp_path, "10.0.0")


@pytest.mark.parametrize(
    ("route", "clash"),
    [
        ({"dst": "default", "dev": "eth0"}, None),
        ({"dst": "192.0.2.0/24", "dev": "eth0"}, None),
        ({"dst": "10.0.0.0/8", "dev": "tun0"}, "10.0.0.0/8 dev tun0"),
        ({"dst": "10.0.0.17", "dev": "eth1"}, "10.0.0.17 dev eth1"),
        ({"dst": "10.0.0.0/28", "dev": "podman1"}, None),
        ({"dst": "10.0.0.0/28", "type": "unreachable"}, None),
    ],
)
def test_overlapping_routes_are_named(route: dict[str, str], clash: str | None) -> None:
    assert labtool.overlapping_route(SUBNETS, [route], {"podman1"}) == clash


def test_missing_packages_are_listed_once() -> None:
    assert labtool.missing_packages(lambda _: None, lambda _: False).count("openssh-client") == 1
    assert labtool.missing_packages(lambda command: "/bin/" + command, lambda _: True) == []


@pytest.mark.parametrize(
    ("mounts", "pure"),
    [
        ("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", True),
        ("tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n", False),
        ("tmpfs /sys/fs/cgroup tmpfs rw 0 0\nnone /sys/fs/cgroup cgroup2 rw 0 0\n", True),
        ("", False),
    ],
)
def test_a_pure_cgroup2_view_is_recognised(mounts: str, pure: bool) -> None:
    assert labtool.has_pure_cgroup2(mounts) is pure


def test_the_image_is_built_again_when_its_recipe_changes(tmp_path: pathlib.Path) -> None:
    recipe = tmp_path / "build.sh"
    recipe.write_text("one")
    before = labtool.recipe_digest("13", [recipe])
    assert labtool.recipe_digest("12", [recipe]) != before
    recipe.write_text("two")
    assert labtool.recipe_digest("13", [recipe]) != before


def test_ulimits_never_exceed_what_the_machine_gives() -> None:
    assert all(int(limit.split("=")[1].split(":")[0]) <= 65536 for limit in labtool.host_ulimits())


def test_a_failed_command_becomes_one_sentence() -> None:
    with pytest.raises(labtool.LabError, match=r"'sh -c echo no >&2; exit 3 ...' failed: no"):
        labtool.run(["sh", "-c", "echo no >&2; exit 3"])


def test_names_of_clusters_come_from_the_folder() -> None:
    assert labtool.parse(["up"], {}).name == "lab"
    assert labtool.parse(["up", "--inventory", "molecule/mysql_replica/inventory"], {}).name == "mysql-replica"
    options = labtool.parse(["ssh", "centosweb1", "hostname", "-f"], {"LAB_RELEASE": "12", "LAB_PREFIX": "10.9.8"})
    assert (options.host, options.command, options.release, options.prefix) == (
        "centosweb1",
        ["hostname", "-f"],
        "12",
        "10.9.8",
    )


def test_lab_hosts_see_each_others_real_address() -> None:
    rule = labtool.nat_rule("-I", *SUBNETS)
    assert rule[-1] == "ACCEPT"
    assert "10.0.0.0/28" in rule
    assert "10.0.0.16/28" in rule


@pytest.mark.parametrize("action", ["up", "down", "image"])
def test_who_is_not_root_is_told_so_first(action: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labtool.os, "geteuid", lambda: 65534)
    with pytest.raises(labtool.LabError, match="needs root: run it with sudo"):
        labtool.main([action])


def test_kernel_settings_are_raised_never_lowered_and_given_back(tmp_path: pathlib.Path) -> None:
    forward, watches = tmp_path / "net/ipv4/ip_forward", tmp_path / "fs/inotify/max_user_instances"
    for path, value in ((forward, "0\n"), (watches, "8192\n")):
        path.parent.mkdir(parents=True)
        path.write_text(value)
    kept = tmp_path / "kept"
    kept.mkdir()
    for _again in range(2):
        labtool.tune_kernel(tmp_path, kept)
    assert (forward.read_text(), watches.read_text()) == ("1", "8192\n")
    labtool.restore_kernel(tmp_path, kept)
    assert (forward.read_text(), watches.read_text()) == ("0\n", "8192\n")
