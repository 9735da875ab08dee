# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases in real folders: unpacked whole, switched in one step, kept and removed."""

from __future__ import annotations

import grp
import io
import json
import os
import pwd
import tarfile
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.siteops.webcluster.plugins.module_utils import _site_archive, _site_release
from ansible_collections.siteops.webcluster.plugins.modules import site_release, site_release_info

USER, GROUP = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name


class Host:
    """A web server with one site, and a service that counts its reloads."""

    def __init__(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home, self.folder, self.capsys = tmp_path / "shop", tmp_path, capsys
        (self.home / "releases").mkdir(parents=True)
        self.reloads = 0
        self.fails = False

    def command(self, words: list[str]) -> tuple[int, str, str]:
        assert words == ["systemctl", "reload", "php-fpm"]
        self.reloads += 1
        return (1, "", "Job failed.") if self.fails else (0, "", "")

    def archive(self, text: str, **more: str) -> tuple[str, str]:
        """Pack a release of one page, and what else is given."""
        code = self.folder / f"code-{text}"
        for name, content in {"public/index.php": text, **more}.items():
            (code / name).parent.mkdir(parents=True, exist_ok=True)
            (code / name).write_text(content)
        found: list[Path] = []

        def place(release: str) -> Path:
            found.append(self.folder / f"{release}.tar.gz")
            return found[0]

        packed = _site_archive.pack(code, (), place, True)
        return packed.release, str(found[0])

    def run(
        self,
        release: str,
        archive: str = "",
        check: bool = False,
        options: dict[str, t.Any] | None = None,
        **more: t.Any,
    ) -> dict[str, t.Any]:
        site = {"name": "shop", "home": str(self.home), "user": USER, "readers": GROUP, "release": release, **more}
        args = {"sites": [{**site, "archive": archive}], "service": "php-fpm", "_ansible_check_mode": check}
        args |= options or {}
        with patch_module_args(args), pytest.raises(SystemExit):
            site_release.main()
        found: dict[str, t.Any] = json.loads(self.capsys.readouterr().out)
        return found

    def release(self, text: str, **more: t.Any) -> str:
        """Pack and serve a release of one page, as an operator does."""
        release, archive = self.archive(text)
        self.run(release, archive, options={"action": "release", "by": "me@here"}, **more)
        return release

    def back(self, release: str, action: str = "rollback") -> None:
        self.run(release, options={"action": action, "by": "me@here"})

    def told(self) -> dict[str, t.Any]:
        args = {"folder": str(self.folder), "sites": [{"name": "shop", "home": str(self.home)}]}
        with patch_module_args(args), pytest.raises(SystemExit):
            site_release_info.main()
        found: dict[str, t.Any] = json.loads(self.capsys.readouterr().out)
        return found

    def known(self) -> dict[str, t.Any]:
        found: dict[str, t.Any] = self.told()["sites"]["shop"]
        return found

    def before(self) -> list[str]:
        return [one["release"] for one in self.known()["before"]]

    def page(self) -> str:
        return (self.home / "current/public/index.php").read_text()


@pytest.fixture
def host(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Host:
    played = Host(tmp_path, capsys)
    monkeypatch.setattr(site_release.AnsibleModule, "run_command", played.command)
    return played


def test_a_release_is_unpacked_and_served_once(host: Host) -> None:
    release, archive = host.archive("one")
    first, second = host.run(release, archive), host.run(release)
    assert (first["changed"], first["switched"], first["live"]) == (True, ["shop"], {"shop": release})
    assert (second["changed"], second["missing"], host.reloads) == (False, [], 1)
    assert (host.page(), os.readlink(host.home / "current")) == ("one", f"releases/{release}")


def test_only_root_may_write_the_code_and_only_its_readers_may_read_it(host: Host) -> None:
    release, archive = host.archive("one")
    host.run(release, archive)
    root = host.home / "releases" / release
    modes = {path.name: path.stat().st_mode & 0o7777 for path in [root, *root.rglob("*")]}
    assert modes == {release: 0o750, "public": 0o750, "index.php": 0o640}


def test_a_release_that_is_not_there_is_asked_for_and_nothing_is_changed(host: Host) -> None:
    result = host.run("0123456789ab")
    assert (result["missing"], host.reloads, (host.home / "current").exists()) == (["shop"], 0, False)


def test_check_mode_tells_and_changes_nothing(host: Host) -> None:
    release, archive = host.archive("one")
    result = host.run(release, archive, check=True)
    assert (result["changed"], result["switched"], list((host.home / "releases").iterdir())) == (True, ["shop"], [])
    assert result["diff"][0]["after"] == f"{release}\n"
    result = host.run(release, check=True, home=str(host.folder / "none"), user="nobody-yet", readers="nobody-yet")
    assert result["changed"] is True


def test_a_reload_that_failed_is_made_up_for(host: Host) -> None:
    release, archive = host.archive("one")
    host.fails = True
    assert "could not be reloaded: Job failed." in host.run(release, archive)["msg"]
    host.fails = False
    assert (host.run(release)["changed"], host.reloads) == (True, 2)
    assert (host.run(release)["changed"], host.reloads) == (False, 2)


def test_the_live_release_and_the_five_before_it_are_kept(host: Host) -> None:
    releases = []
    for number in range(8):
        release, archive = host.archive(str(number))
        host.run(release, archive)
        os.utime(host.home / "releases" / release, (number, number))
        releases.append(release)
    assert {path.name for path in (host.home / "releases").iterdir()} == set(releases[-6:])
    # A former one that is live again is no old one.
    host.run(releases[3])
    release, archive = host.archive("next")
    assert host.run(release, archive)["removed"] == {"shop": [releases[2]]}
    assert host.page() == "next"


def test_what_a_run_left_unfinished_is_removed(host: Host) -> None:
    (host.home / "releases/.new-0123456789ab").mkdir()
    release, archive = host.archive("one")
    host.run(release, archive)
    assert [path.name for path in (host.home / "releases").iterdir()] == [release]


def test_shared_folders_outlive_releases_and_begin_with_the_first_ones_files(host: Host) -> None:
    shared = ["public/uploads", "storage"]
    # As tmpfiles.d has made it.
    (host.home / "shared/storage").mkdir(parents=True)
    release, archive = host.archive("one", **{"storage/framework/keep": "first"})
    host.run(release, archive, shared_folders=shared)
    current = host.home / "current"
    assert (current / "storage/framework/keep").read_text() == "first"
    assert os.readlink(current / "public/uploads") == "../../../shared/public/uploads"
    (current / "public/uploads/picture").write_text("mine")
    release, archive = host.archive("two", **{"storage/framework/keep": "second", "public/uploads/.keep": ""})
    host.run(release, archive, shared_folders=shared)
    assert (current / "storage/framework/keep").read_text() == "first"
    assert (current / "public/uploads/picture").read_text() == "mine"
    assert (host.home / "shared/storage").stat().st_mode & 0o7777 == 0o2750


def test_what_a_mount_holds_is_neither_filled_nor_emptied_and_without_it_nothing_is_written(host: Host) -> None:
    shared = host.home / "shared"
    (shared / "files").mkdir(parents=True)
    release, archive = host.archive("one", **{"files/first.png": "of the code", "cache/x": "ours"})
    host.run(release, archive, shared_folders=["files", "cache"], mounted_folders=["files"])
    assert list((shared / "files").iterdir()) == []
    assert (shared / "cache" / "x").read_text() == "ours"
    assert os.readlink(host.home / "current" / "files") == "../../shared/files"
    again, archive = host.archive("two", **{"files/first.png": "of the code"})
    (shared / "files").rmdir()
    host.run(again, archive, shared_folders=["files"], mounted_folders=["files"])
    assert not (shared / "files").exists()


@pytest.mark.parametrize("kind", ["outside", "broken"])
def test_an_archive_that_cannot_be_unpacked_leaves_the_live_release(host: Host, kind: str) -> None:
    release, archive = host.archive("one")
    host.run(release, archive)
    bad = host.folder / "bad.tar.gz"
    with tarfile.open(bad, "w:gz") as packed:
        packed.addfile(tarfile.TarInfo("../evil"), io.BytesIO(b""))
    if kind == "broken":
        bad.write_bytes(Path(archive).read_bytes()[:60])
    result = host.run("0123456789ab", str(bad))
    assert result["failed"]
    assert "release 0123456789ab cannot be unpacked: " in result["msg"]
    assert result["msg"].endswith("The live release was not changed.")
    assert (host.page(), host.reloads, (host.home / "evil").exists()) == ("one", 1, False)
    # Nor does the next run take what is there of it for the whole.
    assert not (host.home / "releases/0123456789ab").exists()


def test_a_site_without_a_release_is_left_alone(host: Host) -> None:
    result = host.run("")
    assert (result["changed"], result["live"], host.reloads) == (False, {}, 0)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"user": "nobody-yet"}, "expected its user and group to be there: make them first."),
        ({"home": "/nowhere"}, "there is no /nowhere/releases on this host; expected it: make it first."),
    ],
)
def test_bad_input_is_one_sentence(host: Host, more: dict[str, t.Any], words: str) -> None:
    release, archive = host.archive("one")
    assert words in host.run(release, archive, **more)["msg"]


def test_the_link_is_switched_in_one_step(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    release, archive = host.archive("one")
    host.run(release, archive)
    seen: list[str] = []
    replace = Path.replace

    def look(path: Path, target: t.Any) -> Path:
        seen.append(host.page())
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", look)
    release, archive = host.archive("two")
    host.run(release, archive)
    assert set(seen) <= {"one", "two"}
    assert _site_release.live(_site_release.Place(host.home, 0, 0)) == release


def test_a_release_can_lie_beside_the_live_one(host: Host) -> None:
    host.run(*host.archive("one"))
    release, archive = host.archive("two")
    result = host.run(release, archive, options={"switch": False})
    assert (result["changed"], result["switched"], host.page(), host.reloads) == (True, [], "one", 1)
    assert host.run(release, options={"switch": False})["changed"] is False
    assert release in host.known()["releases"]


def test_all_switch_at_one_moment(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    now, slept = [1000.0], []

    def sleep(seconds: float) -> None:
        assert not (host.home / "current").exists()
        slept.append(seconds)

    monkeypatch.setattr(site_release.time, "time", lambda: now[0])
    monkeypatch.setattr(site_release.time, "sleep", sleep)
    release, archive = host.archive("one")
    assert "moment is 100 s ahead of this host's clock" in host.run(release, archive, options={"moment": 1100})["msg"]
    host.run(release, options={"moment": 1003.5})
    assert (slept, host.page()) == ([3.5], "one")
    # All servers write down the same one.
    assert json.loads((host.home / "releases.log").read_text())["at"] == "1970-01-01T00:16:43.500+00:00"
    # One that has passed is not waited for.
    now[0] = 2000.0
    host.run(*host.archive("two"), options={"moment": 1500})
    assert (slept, host.page()) == ([3.5], "two")


def test_who_released_what_and_when_is_logged(host: Host) -> None:
    one = host.release("one", version="1.0")
    two = host.release("two", version="1.1")
    host.back(one, "automatic rollback")
    lines = [json.loads(line) for line in (host.home / "releases.log").read_text().splitlines()]
    assert [(line["action"], line["release"], line["version"], line["from"], line["by"]) for line in lines] == [
        ("release", one, "1.0", "", "me@here"),
        ("release", two, "1.1", one, "me@here"),
        ("automatic rollback", one, "1.0", two, "me@here"),
    ]
    assert lines[0]["at"].endswith("+00:00")


def test_what_an_operator_did_is_told_until_the_inventory_decides(host: Host) -> None:
    one = host.release("one", version="1.0")
    known = host.known()
    assert (known["live"], known["noted"], known["version"], known["there"]) == (one, one, "1.0", True)
    assert (known["released"]["action"], known["released"]["by"]) == ("release", "me@here")
    # Another host is told by site.yml who put it there.
    two, archive = host.archive("two")
    host.run(two, archive, released={"by": "you@there", "action": "release", "at": 5})
    assert host.known()["released"]["by"] == "you@there"
    host.run(one)
    assert host.known()["released"] == {}


def test_a_release_that_was_taken_back_is_none_of_those_before(host: Host) -> None:
    one, two, three = (host.release(text) for text in ("one", "two", "three"))
    assert host.before() == [two, one]
    host.back(two)
    assert (host.page(), host.before()) == ("two", [one])
    four = host.release("four")
    assert host.before() == [two, one]
    host.back(three)
    # It goes forward to what was taken back before, and forgets the one it leaves.
    assert (host.page(), host.before()) == ("three", [two, one])
    assert four in host.known()["releases"]


def test_the_release_before_the_live_one_is_kept_whatever_is_newer(host: Host) -> None:
    one = host.release("one")
    two = host.release("two")
    for text in ("three", "four"):
        host.run(*host.archive(text), options={"switch": False})
    result = host.run(two, options={"keep": 0})
    assert len(result["removed"]["shop"]) == 2
    assert host.known()["releases"] == [two, one]


def test_what_lies_beside_the_live_one_is_bounded_and_the_newest_is_spared(host: Host) -> None:
    one, two = host.release("one"), host.release("two")
    for text in ("three", "four", "five"):
        last, archive = host.archive(text)
        host.run(last, archive, options={"switch": False, "keep": 1})
    assert set(host.known()["releases"]) == {one, two, last}


def test_a_record_of_an_earlier_version_is_read(host: Host) -> None:
    release = host.release("one")
    (host.home / "live.json").write_text(json.dumps({"release": release}))
    assert host.run(release)["changed"] is False
    assert host.known()["before"] == []


def test_a_site_without_folders_is_told(host: Host) -> None:
    host.home = host.folder / "nowhere"
    known = host.known()
    assert (known["there"], known["live"], known["releases"], known["released"]) == (False, "", [], {})


def test_a_site_that_was_taken_out_of_the_list_is_told(host: Host) -> None:
    assert host.told()["others"] == []
    (host.folder / "blog/releases").mkdir(parents=True)
    # What no site has made is nobody's matter.
    (host.folder / "backup").mkdir()
    assert host.told()["others"] == ["blog"]
