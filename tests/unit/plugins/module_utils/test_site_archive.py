# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same code is the same archive, and nothing leads out of it."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils import _site_archive
from ansible_collections.siteops.webcluster.plugins.module_utils._site_archive import ArchiveError

FILES = {"public/index.php": "<?php echo 1;", "public/style.css": "p {}", "bin/job": "#!/bin/sh\n", "ünï.txt": "x"}


@pytest.fixture
def code(tmp_path: Path) -> Path:
    root = tmp_path / "code"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "bin/job").chmod(0o700)
    (root / "cache").mkdir()
    (root / "public/latest.css").symlink_to("style.css")
    return root


def pack(source: Path, folder: Path, *leave_out: str, write: bool = True) -> tuple[_site_archive.Packed, Path]:
    def place(release: str) -> Path:
        return folder / f"shop-{release}.tar.gz"

    packed = _site_archive.pack(source, leave_out, place, write)
    return packed, place(packed.release)


def names(path: Path) -> list[str]:
    with tarfile.open(path) as archive:
        return archive.getnames()


def test_the_same_code_gives_the_same_bytes_wherever_and_whenever(code: Path, tmp_path: Path) -> None:
    first, path = pack(code, tmp_path / "one")
    copy = tmp_path / "elsewhere"
    shutil.copytree(code, copy, symlinks=True)
    os.utime(copy / "public/index.php", (1, 1))
    (copy / "public/index.php").chmod(0o664)
    second, other = pack(copy, tmp_path / "two")
    assert (first, path.read_bytes()) == (second, other.read_bytes())
    assert (first.files, first.bytes) == (4, sum(len(text) for text in FILES.values()))
    assert names(path) == sorted([*FILES, "cache", "public/latest.css"])


@pytest.mark.parametrize("change", ["text", "name", "mode", "link"])
def test_other_code_has_another_name(code: Path, tmp_path: Path, change: str) -> None:
    before, _path = pack(code, tmp_path)
    if change == "text":
        (code / "public/index.php").write_text("<?php echo 2;")
    elif change == "name":
        (code / "ünï.txt").rename(code / "uni.txt")
    elif change == "mode":
        (code / "public/index.php").chmod(0o755)
    else:
        (code / "public/latest.css").unlink()
        (code / "public/latest.css").symlink_to("index.php")
    assert pack(code, tmp_path)[0].release != before.release


def test_another_text_has_another_time_and_the_same_text_the_same(code: Path, tmp_path: Path) -> None:
    def times(path: Path) -> dict[str, float]:
        with tarfile.open(path) as archive:
            return {member.name: member.mtime for member in archive if member.isreg()}

    before = times(pack(code, tmp_path)[1])
    (code / "public/index.php").write_text("<?php echo 2;")
    after = times(pack(code, tmp_path)[1])
    assert [name for name in before if before[name] != after[name]] == ["public/index.php"]
    assert all(time < 1_300_000_000 for time in before.values())


def test_what_is_left_out_is_no_part_of_the_name(code: Path, tmp_path: Path) -> None:
    before, _path = pack(code, tmp_path, ".git", "*.log")
    (code / ".git").mkdir()
    (code / ".git/HEAD").write_text("ref")
    (code / "public/error.log").write_text("x")
    after, path = pack(code, tmp_path, ".git", "*.log")
    assert (before, names(path)) == (after, sorted([*FILES, "cache", "public/latest.css"]))


def test_an_archive_is_the_same_release_as_its_folder(code: Path, tmp_path: Path) -> None:
    wanted, _path = pack(code, tmp_path)
    with tarfile.open(tmp_path / "code.tar.xz", "w:xz") as archive:
        archive.add(code, ".")
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as zipped:
        for path in sorted(code.rglob("*")):
            name = str(path.relative_to(code))
            info = zipfile.ZipInfo(f"{name}/" if path.is_dir() else name)
            info.external_attr = path.lstat().st_mode << 16
            zipped.writestr(
                info, os.readlink(path) if path.is_symlink() else b"" if path.is_dir() else path.read_bytes()
            )
    assert pack(tmp_path / "code.tar.xz", tmp_path)[0].files == wanted.files
    assert {pack(tmp_path / name, tmp_path)[1].exists() for name in ("code.tar.xz", "code.zip")} == {True}


def test_an_archive_in_any_order_is_decompressed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Going back in a compressed file begins it anew, which took minutes for an application of 3,000 files."""
    with tarfile.open(tmp_path / "code.tar.gz", "w:gz") as archive:
        for number in reversed(range(50)):
            file = tarfile.TarInfo(f"{number:02}.php")
            file.size = 2000
            archive.addfile(file, io.BytesIO(b"x" * 2000))
    back = []
    seek = gzip.GzipFile.seek

    def watched(self: gzip.GzipFile, offset: int, whence: int = io.SEEK_SET) -> int:
        # tell() asks by this too, from where it is.
        if whence == io.SEEK_SET:
            back.append(offset < self.tell())
        return seek(self, offset, whence)

    monkeypatch.setattr(gzip.GzipFile, "seek", watched)
    assert pack(tmp_path / "code.tar.gz", tmp_path)[0].files == 50
    assert sum(back) <= 1


def test_an_archive_of_a_packed_folder_has_the_folders_name(code: Path, tmp_path: Path) -> None:
    wanted, path = pack(code, tmp_path)
    assert pack(path, tmp_path / "again")[0] == wanted


def test_nothing_is_written_where_it_is_there_or_not_wanted(code: Path, tmp_path: Path) -> None:
    _packed, path = pack(code, tmp_path / "checked", write=False)
    assert not path.exists()
    _packed, path = pack(code, tmp_path)
    path.write_text("kept")
    pack(code, tmp_path)
    assert path.read_text() == "kept"


def tar_of(tmp_path: Path, *members: tarfile.TarInfo) -> Path:
    path = tmp_path / "bad.tar"
    with tarfile.open(path, "w") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(b""))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, target
    return found


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ([member("../evil")], "'../evil' would be written outside of its folder"),
        ([member("a/../../evil")], "would be written outside"),
        ([member("/etc/passwd")], "'/etc/passwd' would be written outside"),
        ([member("a", tarfile.SYMTYPE, "/etc")], "'a' is a link to '/etc', outside of its folder"),
        ([member("a/b", tarfile.SYMTYPE, "../../etc")], "is a link to '../../etc', outside"),
        ([member("a", tarfile.SYMTYPE, "b"), member("a/x")], "'a/x' lies below 'a', which is no folder"),
        ([member("a"), member("a")], "'a' is in it twice"),
        ([member("a"), member("a/b")], "'a/b' lies below 'a'"),
        ([member("a", tarfile.CHRTYPE)], "'a' is neither file, folder nor link"),
        ([member("a", tarfile.FIFOTYPE)], "'a' is neither file, folder nor link"),
        ([member("a", tarfile.DIRTYPE)], "it holds no file"),
    ],
)
def test_what_leads_elsewhere_is_refused(members: list[tarfile.TarInfo], words: str, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError) as error:
        pack(tar_of(tmp_path, *members), tmp_path / "out")
    assert words in str(error.value)
    assert not (tmp_path / "out").exists()


def test_a_zip_that_would_write_elsewhere_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as zipped:
        zipped.writestr("../evil", "x")
    with pytest.raises(ArchiveError, match="would be written outside"):
        pack(tmp_path / "bad.zip", tmp_path)


def test_a_folder_with_a_link_to_elsewhere_is_refused(code: Path, tmp_path: Path) -> None:
    (code / "secrets").symlink_to("/etc")
    with pytest.raises(ArchiveError, match="'secrets' is a link to '/etc'"):
        pack(code, tmp_path)


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no archive")
    with pytest.raises(ArchiveError, match="neither a folder nor an archive"):
        pack(tmp_path / "text", tmp_path)
