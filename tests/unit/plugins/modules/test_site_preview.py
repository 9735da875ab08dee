# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release is asked for its page through a socket that speaks FastCGI, before it is live."""

from __future__ import annotations

import json
import os
import pwd
import socket
import struct
import subprocess
import threading
import time
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.siteops.webcluster.plugins.module_utils import _fastcgi
from ansible_collections.siteops.webcluster.plugins.modules import site_preview
from ansible_collections.siteops.webcluster.tests.checkers import PATH, installed_php, need

Params = dict[str, str]


def pairs(content: bytes) -> Params:
    """Read names and values as FastCGI packs them."""
    found, at = [], 0
    while at < len(content):
        sizes = []
        for _name_and_value in range(2):
            long = content[at] & 0x80
            sizes.append(struct.unpack("!I", content[at : at + 4])[0] & 0x7FFFFFFF if long else content[at])
            at += 4 if long else 1
        name, value = content[at : at + sizes[0]], content[at + sizes[0] : at + sum(sizes)]
        at += sum(sizes)
        found.append((name.decode(), value.decode()))
    return dict(found)


class Pool:
    """Answers one request on a socket, and keeps what it was asked."""

    def __init__(self, folder: Path, *records: bytes) -> None:
        self.path, self.records, self.asked = str(folder / "fpm.sock"), records, Params()
        server = socket.socket(socket.AF_UNIX)
        server.bind(self.path)
        server.listen()
        threading.Thread(target=self._serve, args=(server,), daemon=True).start()

    def _serve(self, server: socket.socket) -> None:
        with server:
            connection, _address = server.accept()
        with connection, connection.makefile("rb") as stream:
            params = b""
            while True:
                _version, kind, _request, size, _padding = _fastcgi.HEADER.unpack(stream.read(_fastcgi.HEADER.size))
                content = stream.read(size)
                if kind == _fastcgi.PARAMS:
                    params += content
                if kind == _fastcgi.STDIN and not size:
                    break
            self.asked = pairs(params)
            connection.sendall(b"".join(self.records))


def answer(text: bytes) -> bytes:
    """As PHP-FPM sends it: in parts, with words on the error stream, padded."""
    half = len(text) // 2
    padded = _fastcgi.HEADER.pack(1, _fastcgi.STDOUT, 1, len(text) - half, 3) + text[half:] + b"\0" * 3
    return _fastcgi.record(_fastcgi.STDOUT, text[:half]) + _fastcgi.record(7, b"a warning") + padded + end()


def end() -> bytes:
    return _fastcgi.record(_fastcgi.END, b"\0" * 8)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    public = tmp_path / "public"
    (public / "admin").mkdir(parents=True)
    for name in ("index.php", "admin/index.php", "up.txt"):
        (public / name).write_text("fine")
    return public


def run(root: Path, capsys: pytest.CaptureFixture[str], **more: t.Any) -> dict[str, t.Any]:
    args = {"name": "shop", "root": str(root), "socket": "/nowhere.sock", "front_controller": "index.php", "timeout": 2}
    with patch_module_args({**args, **more}), pytest.raises(SystemExit):
        site_preview.main()
    found: dict[str, t.Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_front_controller_is_asked_as_the_web_server_would(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pool = Pool(tmp_path, answer(b"Content-Type: text/html\r\n\r\nall fine"))
    found = run(root, capsys, socket=pool.path, host="shop.example", path="/up?full=1", text="fine")
    assert (found["status"], found["changed"]) == (200, False)
    wanted = {
        "SCRIPT_FILENAME": str(root / "index.php"),
        "SCRIPT_NAME": "/index.php",
        "DOCUMENT_ROOT": str(root),
        "REQUEST_URI": "/up?full=1",
        "QUERY_STRING": "full=1",
        "HTTP_HOST": "shop.example",
        "REQUEST_METHOD": "GET",
    }
    assert wanted.items() <= pool.asked.items()


def test_names_longer_than_127_bytes_arrive(tmp_path: Path) -> None:
    pool = Pool(tmp_path, answer(b"Status: 204 No Content\r\n\r\n"))
    page = _fastcgi.ask(pool.path, {"LONG": "x" * 70_000, "N" * 200: "y"}, 5)
    assert (page.status, page.body) == (204, b"")
    assert (len(pool.asked["LONG"]), pool.asked["N" * 200]) == (70_000, "y")


@pytest.mark.parametrize(
    ("path", "front", "script"),
    [
        ("/admin/", "index.php", "admin/index.php"),
        ("/admin", "index.php", "admin/index.php"),
        ("/up.txt", "index.php", "up.txt"),
        ("/no%20such/page", "index.php", "index.php"),
        ("/../public/up.txt", "index.php", "index.php"),
        ("/no", "", None),
        ("/no", "gone.php", None),
    ],
)
def test_a_path_leads_to_a_file_or_to_the_front_controller(
    root: Path, path: str, front: str, script: str | None
) -> None:
    assert site_preview.file_for(root, path, front) == (root / script if script else None)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (answer(b"Status: 404 Not Found\r\n\r\nno"), "/up of the new release answers 404, expected 200:"),
        (
            answer(b"Status: 302 Found\r\nLocation: https://x/\r\n\r\n"),
            "answers 302, which sends to https://x/, expected 200:",
        ),
        (answer(b"X: y\r\n\r\nother"), "answers without the text 'fine':"),
        (end(), "has no answer: PHP ended without an answer:"),
        (b"", "has no answer: PHP-FPM closed the connection before the answer was whole:"),
    ],
)
def test_a_release_that_does_not_work_is_one_sentence(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], said: bytes, words: str
) -> None:
    found = run(root, capsys, socket=Pool(tmp_path, said).path, path="/up", text="fine")
    assert found["failed"]
    assert words in found["msg"]
    assert found["msg"].startswith("Site shop: /up of the new release ")


def test_who_cannot_be_asked_is_named(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "PHP-FPM cannot be asked at /nowhere.sock: No such file or directory" in run(root, capsys)["msg"]


def test_a_path_that_leads_nowhere_is_404(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "/no of the new release answers 404" in run(root, capsys, path="/no", front_controller="")["msg"]


def test_a_file_needs_no_php(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, capsys, path="/up.txt", text="fine")["status"] == 200


def test_an_answer_that_does_not_come_ends(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "silent.sock"))
        server.listen()
        found = run(root, capsys, socket=str(tmp_path / "silent.sock"), timeout=0.1)
    assert "has no answer: PHP gives no answer within 0.1 s" in found["msg"]


PAGE = """<?php
http_response_code($_GET['code'] ?? 200);
echo implode(' ', [$_SERVER['HTTP_HOST'], $_SERVER['REQUEST_URI'], basename(__DIR__), getenv('SITE_NAME')]);
"""


def test_a_real_php_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    need("php-fpm")
    user, place = pwd.getpwuid(os.getuid()).pw_name, tmp_path / "fpm.sock"
    (tmp_path / "public").mkdir()
    (tmp_path / "public/index.php").write_text(PAGE)
    (tmp_path / "fpm.conf").write_text(
        f"[global]\nerror_log = {tmp_path}/log\n[shop]\nuser = {user}\nlisten = {place}\nenv[SITE_NAME] = shop\n"
        "pm = static\npm.max_children = 1\n"
    )
    root = ["-R"] if os.getuid() == 0 else []
    words = [f"php-fpm{installed_php()}", "-n", "-F", *root, "-y", str(tmp_path / "fpm.conf")]
    with subprocess.Popen(words, env={**os.environ, "PATH": PATH}, stderr=subprocess.DEVNULL) as fpm:
        try:
            for _try in range(100):
                if place.exists():
                    break
                time.sleep(0.05)
            asked: dict[str, t.Any] = {"socket": str(place), "host": "shop.example"}
            text = "shop.example /up?code=201 public shop"
            found = run(tmp_path / "public", capsys, **asked, path="/up?code=201", status=201, text=text)
            assert found["status"] == 201
            refused = run(tmp_path / "public", capsys, **asked, path="/up?code=500")
            assert "answers 500, expected 200" in refused["msg"]
        finally:
            fpm.terminate()


def test_in_check_mode_a_release_need_not_be_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "none", capsys, _ansible_check_mode=True)["status"] == 0
