# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make one archive of a site's code, the same wherever it is made. Private to the collection: may change at any time."""

from __future__ import annotations

import fnmatch
import gzip
import hashlib
import io
import os
import posixpath
import shutil
import stat
import tarfile
import tempfile
import typing as t
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

# Of the archive's form: another one gives all releases new names.
FORM = b"1\n"
ID_LENGTH = 12
FOLDER_MODE = 0o750
PROGRAM_MODE = 0o750
FILE_MODE = 0o640


class ArchiveError(Exception):
    """Code that cannot be packed or unpacked; the text is for the operator."""


@dataclass(frozen=True)
class Entry:
    """A file or a symbolic link; folders follow from their paths, an empty one is an entry too."""

    path: str
    kind: str  # file, link or folder
    executable: bool = False
    target: str = ""
    read: Callable[[], bytes] = bytes


@dataclass(frozen=True)
class Packed:
    """What an archive holds: its release id and how much it is."""

    release: str
    files: int
    bytes: int


def check_path(path: str) -> str:
    """Return a path inside of the archive in its plain form; refuse one that leads elsewhere."""
    plain = posixpath.normpath(path)
    if not path or path.startswith("/") or plain == ".." or plain.startswith("../") or "\0" in path or "\n" in path:
        raise ArchiveError(f"{path!r} would be written outside of its folder")
    return plain


def check_entries(entries: Iterable[Entry]) -> list[Entry]:
    """Refuse what would be written, or lead, outside of the folder; return the rest by path."""
    known: dict[str, Entry] = {}
    for entry in entries:
        check_path(entry.path)
        if entry.path in known and (entry.kind, known[entry.path].kind) != ("folder", "folder"):
            raise ArchiveError(f"{entry.path!r} is in it twice")
        if entry.kind == "link":
            leads = posixpath.normpath(posixpath.join(posixpath.dirname(entry.path), entry.target))
            if entry.target.startswith("/") or leads == ".." or leads.startswith("../"):
                raise ArchiveError(f"{entry.path!r} is a link to {entry.target!r}, outside of its folder")
        known[entry.path] = entry
    for path in known:
        for parent in parents(path):
            if parent in known and known[parent].kind != "folder":
                raise ArchiveError(f"{path!r} lies below {parent!r}, which is no folder")
    return [known[path] for path in sorted(known)]


def parents(path: str) -> Iterator[str]:
    parts = path.split("/")
    return ("/".join(parts[:count]) for count in range(1, len(parts)))


def is_left_out(path: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(part, pattern) for part in path.split("/") for pattern in patterns)


def _reader(path: Path) -> Callable[[], bytes]:
    return path.read_bytes


def folder_entries(root: Path, leave_out: Sequence[str] = ()) -> Iterator[Entry]:
    """Everything in a folder; links are never followed."""
    for at, folders, files in os.walk(root):
        below = os.path.relpath(at, root)
        folders[:] = [name for name in folders if not is_left_out(name, leave_out)]
        if below != "." and not folders and not files:
            yield Entry(below, "folder")
        for name in [*folders, *files]:
            path = Path(at, name)
            plain = os.path.normpath(os.path.join(below, name))
            mode = path.lstat().st_mode
            if is_left_out(name, leave_out) or stat.S_ISDIR(mode):
                continue
            if stat.S_ISLNK(mode):
                yield Entry(plain, "link", target=os.readlink(path))
            elif stat.S_ISREG(mode):
                yield Entry(plain, "file", bool(mode & stat.S_IXUSR), read=_reader(path))
            else:
                raise ArchiveError(f"{plain!r} is neither file, folder nor link")


def _tar_reader(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        file = archive.extractfile(member)
        if file is None:
            raise ArchiveError(f"{member.name!r} has no content")
        return file.read()

    return read


def tar_entries(archive: tarfile.TarFile) -> Iterator[Entry]:
    for member in archive:
        plain = check_path(member.name)
        if plain == ".":
            continue
        if member.isdir():
            yield Entry(plain, "folder")
        elif member.issym():
            yield Entry(plain, "link", target=member.linkname)
        elif member.isreg() or member.islnk():
            yield Entry(plain, "file", bool(member.mode & stat.S_IXUSR), read=_tar_reader(archive, member))
        else:
            raise ArchiveError(f"{member.name!r} is neither file, folder nor link")


def _zip_reader(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Callable[[], bytes]:
    return lambda: archive.read(member)


def zip_entries(archive: zipfile.ZipFile) -> Iterator[Entry]:
    for member in archive.infolist():
        plain = check_path(member.filename)
        mode = member.external_attr >> 16
        if member.is_dir():
            yield Entry(plain, "folder")
        elif stat.S_ISLNK(mode):
            yield Entry(plain, "link", target=archive.read(member).decode("utf-8"))
        else:
            yield Entry(plain, "file", bool(mode & stat.S_IXUSR), read=_zip_reader(archive, member))


def release_of(entries: Sequence[Entry]) -> Packed:
    """Name a release after what it holds, wherever and whenever it is packed."""
    digest, files, size = hashlib.sha256(FORM), 0, 0
    for entry in entries:
        content = b""
        if entry.kind == "file":
            data = entry.read()
            content, files, size = hashlib.sha256(data).digest(), files + 1, size + len(data)
        words = (entry.path, entry.kind, "x" if entry.executable else "", entry.target)
        digest.update("\0".join(words).encode("utf-8", "surrogateescape") + b"\0" + content + b"\n")
    if not files:
        raise ArchiveError("it holds no file")
    return Packed(digest.hexdigest()[:ID_LENGTH], files, size)


def content_time(content: bytes) -> int:
    """A time that only another content changes: browsers and servers tell by it and the size whether a file is another one."""
    return 1_000_000_000 + int(hashlib.sha256(content).hexdigest()[:7], 16)


def write_archive(entries: Sequence[Entry], target: io.BufferedIOBase) -> None:
    """Pack without anything that differs between two controllers: owners, times, order."""
    with gzip.GzipFile("", "wb", 6, target, mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        for entry in entries:
            member = tarfile.TarInfo(entry.path)
            member.mtime = content_time(b"")
            if entry.kind == "file":
                content = entry.read()
                member.size, member.mtime = len(content), content_time(content)
                member.mode = PROGRAM_MODE if entry.executable else FILE_MODE
                archive.addfile(member, io.BytesIO(content))
            elif entry.kind == "link":
                member.type, member.linkname = tarfile.SYMTYPE, entry.target
                archive.addfile(member)
            else:
                member.type, member.mode = tarfile.DIRTYPE, FOLDER_MODE
                archive.addfile(member)


def pack(source: Path, leave_out: Sequence[str], place: Callable[[str], Path], write: bool) -> Packed:
    """Pack a folder or an archive where its release id says, unless it is there; return what it is."""
    if source.is_dir():
        return _pack(check_entries(folder_entries(source, leave_out)), place, write)
    if zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as zipped:
            entries = [entry for entry in zip_entries(zipped) if not is_left_out(entry.path, leave_out)]
            return _pack(check_entries(entries), place, write)
    try:
        with tempfile.TemporaryFile() as plain:
            _decompress(source, plain)
            with tarfile.open(fileobj=plain, mode="r:") as archive:
                entries = [entry for entry in tar_entries(archive) if not is_left_out(entry.path, leave_out)]
                return _pack(check_entries(entries), place, write)
    except tarfile.ReadError as error:
        raise ArchiveError("it is neither a folder nor an archive in tar or zip form") from error


def _decompress(source: Path, plain: t.IO[bytes]) -> None:
    """Write an archive without its compression: files are read by path, and going back in a compressed one begins it anew."""
    with tarfile.open(source) as archive:
        packed = t.cast("t.IO[bytes]", archive.fileobj)
        packed.seek(0)
        shutil.copyfileobj(packed, plain)
    plain.seek(0)


def _pack(entries: Sequence[Entry], place: Callable[[str], Path], write: bool) -> Packed:
    packed = release_of(entries)
    path = place(packed.release)
    if write and not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # It gets its name last; nobody uses half of it.
        part = path.with_name(f".{path.name}.{os.getpid()}")
        with open(part, "wb") as target:
            write_archive(entries, target)
        part.replace(path)
    elif write:
        # Of those that are kept, the last ones used.
        os.utime(path)
    return packed
