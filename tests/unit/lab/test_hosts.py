# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.lab import cli, hosts, network
from ansible_collections.siteops.webcluster.lab.cluster import Cluster
from ansible_collections.siteops.webcluster.lab.command import LabError
from ansible_collections.siteops.webcluster.lab.keys import write_keys

from .conftest import Make


class Engine:
    """podman with the containers and networks of some labs; it remembers what was removed."""

    def __init__(self, *labs: Cluster) -> None:
        self.rows: list[dict[str, Any]] = [
            {"Names": [lab.container(host)], "Labels": lab.labels} for lab in labs for host in lab.hosts
        ]
        self.nets: list[dict[str, Any]] = [
            {"name": lab.network(subnet), "labels": lab.labels, "subnets": [{"subnet": str(subnet)}]}
            for lab in labs
            for subnet in lab.subnets
        ]
        self.released = False
        # How often it cannot remove a container yet.
        self.busy = 0

    @staticmethod
    def holds(labels: dict[str, str], label: str) -> bool:
        name, _sign, value = label.partition("=")
        return name in labels and value in ("", labels[name])

    def containers(self, label: str = "wclab") -> list[dict[str, Any]]:
        return [row for row in self.rows if self.holds(row["Labels"], label)]

    def networks(self, label: str = "wclab") -> list[dict[str, Any]]:
        return [row for row in self.nets if self.holds(row["labels"], label)]

    def __call__(self, *words: str, check: bool = True) -> str:
        if self.busy and words[0] == "rm":
            self.busy -= 1
            if check:
                raise LabError("crun delete failed")
            return ""
        self.rows = [row for row in self.rows if row["Names"][0] not in words]
        self.nets = [row for row in self.nets if row["name"] not in words]
        return ""

    def prepare(self) -> None:
        """Nothing to make."""

    def release(self) -> None:
        self.released = True


@pytest.fixture
def two(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Cluster, Cluster, Engine]:
    """The labs of two checkouts side by side, and the machine's podman."""
    folder = tmp_path / "second/inventory/lab"
    folder.mkdir(parents=True)
    labs = make(), make(checkout=tmp_path / "second", folder=folder, prefix="10.90.2")
    for lab in labs:
        write_keys(lab, os.getuid())
    engine = Engine(*labs)
    monkeypatch.setattr(hosts, "drop_routes", list)
    monkeypatch.setattr(hosts, "restore_kernel", lambda: None)
    monkeypatch.setattr(cli, "Podman", lambda: engine)
    monkeypatch.setattr(cli.shutil, "which", lambda command: f"/usr/bin/{command}")
    monkeypatch.setattr(cli.os, "geteuid", lambda: 0)
    monkeypatch.setattr(cli, "CHECKOUT", labs[0].checkout)
    monkeypatch.setattr("ansible_collections.siteops.webcluster.lab.cluster.CHECKOUT", labs[0].checkout)
    monkeypatch.setattr("ansible_collections.siteops.webcluster.lab.machine.LOCK_DIR", tmp_path)
    monkeypatch.setenv("PATH", os.environ["PATH"])
    monkeypatch.delenv("LAB_PREFIX", raising=False)
    return *labs, engine


def test_down_takes_down_its_own_lab_and_no_other(two: tuple[Cluster, Cluster, Engine]) -> None:
    first, second, engine = two
    assert cli.main(["down", "--inventory", str(first.inventory)]) == 0
    assert not first.state.exists()
    assert second.ssh_config.exists()
    assert {row["Labels"]["wclab"] for row in engine.rows} == {second.name}
    assert {row["labels"]["wclab"] for row in engine.nets} == {second.name}
    assert not engine.released


def test_down_of_all_leaves_nothing(two: tuple[Cluster, Cluster, Engine]) -> None:
    first, second, engine = two
    assert cli.main(["down", "--all"]) == 0
    assert (engine.rows, engine.nets, engine.released) == ([], [], True)
    assert not first.state.exists()
    assert not second.state.exists()


def test_an_address_of_another_lab_stops_before_anything_is_made(
    two: tuple[Cluster, Cluster, Engine], make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(*_arguments: object) -> None:
        raise AssertionError("something was made")

    monkeypatch.setattr(hosts, "write_keys", made)
    third = make(checkout=tmp_path / "third", folder=tmp_path / "third")
    engine: Any = two[2]
    with pytest.raises(LabError, match=f"belongs to the lab of the checkout {two[0].checkout} "):
        hosts.up(third, "image", engine)


def test_a_host_is_root_of_nothing_on_the_machine(make: Make) -> None:
    lab = make()
    words = hosts.container_argv(lab, lab.hosts[0], "image")
    assert words[words.index("--uidmap") + 1] == words[words.index("--gidmap") + 1] == "0:1900000000:65536"
    dropped = words[words.index("--bounding-set") + 1].split(",")
    assert {"-sys_time", "-sys_module", "-sys_rawio", "-mknod"} <= set(dropped)
    assert f"{lab.network(lab.hosts[0].subnet)}:ip=10.90.1.4,mac={lab.hosts[0].mac}" in words


def test_every_network_and_host_tells_whose_it_is(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    lab, made = make(), []

    class Recorder(Engine):
        def __call__(self, *words: str, **_options: bool) -> str:
            made.append(words)
            return ""

    monkeypatch.setattr(network, "set_routes", list)
    engine: Any = Recorder()
    network.make_networks(lab, engine)
    made.append(tuple(hosts.container_argv(lab, lab.hosts[0], "image")))
    assert len(made) == 3
    for words in made:
        assert {f"wclab={lab.name}", f"wclab-checkout={lab.checkout}", f"wclab-prefix={lab.prefix}"} <= set(words)


@pytest.mark.parametrize("action", ["up", "down", "power-off", "replace", "image"])
def test_who_is_not_root_is_told_so_first(action: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli.os, "geteuid", lambda: 65534)
    with pytest.raises(LabError, match="needs root: run it with sudo"):
        cli.main([action, *(["web1"] if action in ("power-off", "replace") else [])])


def test_the_command_after_a_host_is_passed_on() -> None:
    options = cli.parse(["ssh", "centosweb1", "hostname", "-f"])
    assert (options.host, options.command) == ("centosweb1", ["hostname", "-f"])


@pytest.mark.parametrize(("busy", "left"), [(0, 0), (2, 0), (3, 2)])
def test_a_container_that_is_busy_is_removed_a_moment_later(make: Make, busy: int, left: int) -> None:
    lab = make()
    engine: Any = Engine(lab)
    engine.busy = busy
    names = [lab.container(host) for host in lab.hosts]
    with pytest.raises(LabError) if left else nullcontext():
        hosts.remove(engine, names, pause=0)
    assert len(engine.rows) == left


def test_a_replaced_host_is_an_empty_one_of_the_same_image_with_another_host_key(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, made, waited = make(), [], []

    class Maker(Engine):
        def __call__(self, *words: str, check: bool = True) -> str:
            if words[0] == "run":
                made.append(words)
            return super().__call__(*words, check=check)

    engine: Any = Maker(lab)
    for row in engine.rows:
        row["Labels"] = {**row["Labels"], "wclab-image": "image-of-12"}
    monkeypatch.setattr(hosts, "ROOT_ID", os.getuid())
    monkeypatch.setattr(hosts, "wait_booted", lambda _lab, host: waited.append(host.name))
    write_keys(lab, os.getuid())
    before = (lab.state / "known_hosts").read_text().splitlines()
    hosts.replace(lab, "db1", engine)
    assert made == [tuple(hosts.container_argv(lab, lab.hosts[1], "image-of-12"))]
    assert [row["Names"] for row in engine.rows] == [[lab.container(lab.hosts[0])]]
    assert waited == ["db1"]
    after = (lab.state / "known_hosts").read_text().splitlines()
    assert after[0] == before[0]
    assert after[1] != before[1]
    assert after[1].split()[0] == before[1].split()[0]


@pytest.mark.parametrize("act", [hosts.replace, hosts.power_off])
def test_a_host_that_is_not_up_is_neither_replaced_nor_switched_off(make: Make, act: Any) -> None:
    engine: Any = Engine()
    with pytest.raises(LabError, match="Lab host db1 is not up: run lab-up first"):
        act(make(), "db1", engine)


def test_a_host_without_power_is_killed_whole_and_alone(make: Make) -> None:
    lab, killed = make(), []

    class Killer(Engine):
        def __call__(self, *words: str, check: bool = True) -> str:
            killed.append(words)
            return super().__call__(*words, check=check)

    engine: Any = Killer(lab)
    hosts.power_off(lab, "db1", engine)
    assert killed == [("kill", "--signal", "KILL", lab.container(lab.hosts[1]))]


@pytest.mark.parametrize("action", ["ssh", "power-off", "replace"])
def test_a_host_that_the_lab_does_not_have_is_named(action: str, two: tuple[Cluster, Cluster, Engine]) -> None:
    with pytest.raises(LabError, match="HOST is 'db9'; expected one of web1, db1"):
        cli.main([action, "--inventory", str(two[0].inventory), "db9"])
