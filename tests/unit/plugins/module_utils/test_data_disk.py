# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk for data: images read and formatted by the real blkid and mkfs, systemd pretended; nothing that holds data is touched."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._data_disk import (
    DataDisk,
    Disk,
    DiskError,
    Wanted,
    mounts,
    read_disk,
    unit_text,
)
from ansible_collections.siteops.webcluster.tests.checkers import PATH, need

SIZE = 16 * 2**20
SYSTEMD = ("systemctl", "systemd-escape")


def program(command: Sequence[str]) -> tuple[int, str]:
    need(command[0])
    done = subprocess.run(command, env={**os.environ, "PATH": PATH}, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout or done.stderr


@dataclass
class Host:
    """A machine with an image for a disk; enabling the unit mounts it."""

    folder: Path
    commands: list[Sequence[str]] = field(default_factory=list)
    table: str = ""

    def __post_init__(self) -> None:
        for name in ("units", "data"):
            (self.folder / name).mkdir()
        with self.image.open("wb") as file:
            file.truncate(SIZE)

    @property
    def image(self) -> Path:
        return self.folder / "disk"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def unit(self) -> Path:
        return self.folder / "units" / "data.mount"

    def run(self, command: Sequence[str]) -> tuple[int, str]:
        self.commands.append(command)
        if command[0] == "systemd-escape":
            return 0, "data.mount\n"
        if command[:2] == ["systemctl", "enable"]:
            # The kernel shows devices; an image is one for this table only.
            self.table = f"/dev/..{self.image} {self.data} ext4 rw 0 0\n"
            (self.data / "lost+found").mkdir(exist_ok=True)
        return (0, "") if command[0] in SYSTEMD else program(command)

    def ensure(self, check: bool = False, **options: Any) -> Any:
        given = {"names": ["/dev/nothing-here", str(self.image)], "path": str(self.data),
                 "services": ["mariadb.service"], "may_format": True, **options}  # fmt: skip
        return DataDisk(self.run, self.folder / "units", lambda: self.table).ensure(Wanted(**given), check)

    @property
    def changes(self) -> list[str]:
        return [one[0] for one in self.commands if one[0] not in ("blkid", "systemd-escape")]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_blank_disk_is_formatted_and_mounted_once(host: Host) -> None:
    assert host.ensure(check=True) == {"device": str(host.image), "action": "format", "filesystem": "", "changed": True}
    assert host.changes == []
    done = host.ensure()
    assert (done["action"], done["filesystem"], done["changed"]) == ("format", "ext4", True)
    assert host.changes == ["mkfs.ext4", "systemctl", "systemctl"]
    disk = read_disk(str(host.image), [], program)
    assert host.unit.read_text() == unit_text(disk, str(host.data), ["mariadb.service"])
    assert f"What=/dev/disk/by-uuid/{disk.uuid}\n" in host.unit.read_text()
    assert "RequiredBy=mariadb.service\n" in host.unit.read_text()
    # The package of the server finds an empty directory.
    assert list(host.data.iterdir()) == []
    (host.data / "ibdata1").write_text("data")
    assert (host.ensure()["action"], host.ensure()["changed"]) == ("nothing", False)
    assert host.changes == ["mkfs.ext4", "systemctl", "systemctl"]


def test_a_disk_of_a_former_machine_is_mounted_as_it_is(host: Host) -> None:
    program(["mkfs.ext4", "-q", str(host.image)])
    before = host.image.read_bytes()
    for may_format in (False, True):
        assert host.ensure(check=True, may_format=may_format)["action"] == "mount"
    done = host.ensure(may_format=False)
    assert (done["action"], done["filesystem"], done["changed"]) == ("mount", "ext4", True)
    assert host.changes == ["systemctl", "systemctl"]
    assert host.image.read_bytes() == before


def test_a_blank_disk_is_left_alone_where_it_may_not_be_formatted(host: Host) -> None:
    (host.data / "ibdata1").write_text("data")
    assert host.ensure(may_format=False) == {
        "device": str(host.image), "action": "nothing", "filesystem": "", "changed": False,
    }  # fmt: skip
    assert host.changes == []


def test_a_changed_unit_of_ours_is_written_and_nothing_is_mounted_anew(host: Host) -> None:
    host.ensure()
    host.unit.write_text("former")
    host.commands.clear()
    assert host.ensure(check=True)["changed"]
    assert host.unit.read_text() == "former"
    assert host.ensure()["changed"]
    assert host.commands[-1] == ["systemctl", "daemon-reload"]
    assert not host.ensure()["changed"]


def test_what_somebody_else_has_mounted_there_is_his(host: Host) -> None:
    program(["mkfs.ext4", "-q", str(host.image)])
    host.table = f"/dev/..{host.image} {host.data} ext4 rw 0 0\n"
    assert not host.ensure()["changed"]
    assert not host.unit.exists()


def partitions(host: Host) -> None:
    """A table of partitions, as sfdisk writes it: 0x55AA, and one entry."""
    entry = bytes([0, 0, 2, 0, 0x83, 0, 0, 0]) + (2048).to_bytes(4, "little") + (4096).to_bytes(4, "little")
    block = bytearray(512)
    block[446:462], block[510:512] = entry, b"\x55\xaa"
    with host.image.open("r+b") as file:
        file.write(block)


def swap(host: Host) -> None:
    program(["mkswap", str(host.image)])


def other_mount(host: Host) -> None:
    host.table = f"/dev/sdz1 {host.data} ext4 rw 0 0\n"


def mounted_elsewhere(host: Host) -> None:
    host.table = f"/dev/..{host.image} /srv ext4 rw 0 0\n"


def filled(host: Host) -> None:
    (host.data / "ibdata1").write_text("data")


def filled_beside_a_former_disk(host: Host) -> None:
    program(["mkfs.ext4", "-q", str(host.image)])
    filled(host)


def gone(host: Host) -> None:
    host.image.unlink()


@pytest.mark.parametrize(
    ("before", "sentence"),
    [
        (partitions, "{image} has partitions on it; expected a blank disk, or one with ext4 or xfs alone"),
        (swap, "{image} has swap on it; expected a blank disk"),
        (other_mount, "{data} is mounted from /dev/sdz1; expected {image} or nothing"),
        (mounted_elsewhere, "{image} is mounted at /srv; expected it at {data} or nowhere"),
        (filled, "{data} holds data already, which {image} would hide; expected an empty directory"),
        (filled_beside_a_former_disk, "{data} holds data already, which {image} would hide"),
        (gone, "None of /dev/nothing-here, {image} is there; expected the disk of the data"),
    ],
)
def test_what_could_lose_or_hide_data_is_refused(host: Host, before: Any, sentence: str) -> None:
    before(host)
    bytes_before = host.image.read_bytes() if host.image.exists() else b""
    for check in (True, False):
        with pytest.raises(DiskError) as failure:
            host.ensure(check=check)
        assert str(failure.value).startswith(sentence.format(image=host.image, data=host.data))
        assert "\n" not in str(failure.value)
    assert host.changes == []
    assert not host.image.exists() or host.image.read_bytes() == bytes_before


def test_a_program_that_fails_is_told(host: Host) -> None:
    with host.image.open("r+b") as file:
        file.truncate(1024)
    with pytest.raises(DiskError, match=r"^mkfs\.ext4 -q .* failed: "):
        host.ensure()
    assert not host.unit.exists()


def test_the_kernel_writes_blanks_as_numbers() -> None:
    assert mounts("proc /proc proc rw 0 0\n/dev/sdc1 /srv/my\\040data ext4 rw 0 0\n") == [("/dev/sdc1", "/srv/my data")]


def test_without_services_the_unit_names_none() -> None:
    text = unit_text(Disk("/dev/sdc", "xfs", "1-2"), "/srv", [])
    assert "Before=" not in text
    assert "RequiredBy=" not in text
    assert "Type=xfs\n" in text


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    path = tmp_path / "var-lib-mysql.mount"
    text = unit_text(Disk("/dev/sdc", "ext4", "0c9e4e2b"), "/var/lib/mysql", ["mariadb.service", "mysql.service"])
    path.write_text(text, encoding="utf-8")
    assert program(["systemd-analyze", "verify", str(path)]) == (0, "")
    path.write_text(text.replace("Where=", "Were="), encoding="utf-8")
    assert program(["systemd-analyze", "verify", str(path)]) != (0, "")
