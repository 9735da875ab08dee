# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from ansible_collections.siteops.webcluster.plugins.modules import file_tree


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "tree"


def run(capsys: pytest.CaptureFixture[str], root: t.Any, **args: t.Any) -> dict[str, t.Any]:
    """Run the module as Ansible does and return its result."""
    with patch_module_args({"path": str(root), "_ansible_diff": True, **args}), pytest.raises(SystemExit):
        file_tree.main()
    out = capsys.readouterr().out
    result: dict[str, t.Any] = json.loads(out)
    return {**result, "out": out}


def content(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() for path in sorted(root.rglob("*")) if path.is_file()}


def mode(path: Path) -> str:
    return f"{path.stat().st_mode & 0o7777:04o}"


def test_makes_the_tree_and_then_nothing(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    files = {"index.html": "<p>\n", "a/b/c.txt": "é\n"}
    first = run(capsys, root, files=files)
    assert first["changed"]
    assert first["written"] == ["a/b/c.txt", "index.html"]
    assert content(root) == files
    assert (mode(root), mode(root / "a/b"), mode(root / "index.html")) == ("0755", "0755", "0644")
    second = run(capsys, root, files=files)
    assert not second["changed"]
    assert second["diff"] == []


def test_removes_what_is_not_listed(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    run(capsys, root, files={"keep": "1", "old/x": "2", "old/y": "3", "stale": "4"})
    (root / "link").symlink_to("/etc")
    result = run(capsys, root, files={"keep": "1"})
    assert result["removed"] == ["link", "old", "stale"]
    assert content(root) == {"keep": "1"}
    assert Path("/etc").is_dir()


def test_what_is_not_listed_may_stay(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    run(capsys, root, files={"old": "1"})
    result = run(capsys, root, files={"new": "2"}, keep_unlisted=True)
    assert (result["written"], result["removed"]) == (["new"], [])
    assert content(root) == {"new": "2", "old": "1"}


def test_changes_only_what_differs(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    run(capsys, root, files={"a": "1", "b": "2"})
    result = run(capsys, root, files={"a": "1", "b": "3"})
    assert result["written"] == ["b"]
    assert result["diff"][0]["before"] == "2"
    assert result["diff"][0]["after"] == "3"


def test_check_mode_changes_nothing(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    result = run(capsys, root, files={"a": "1"}, _ansible_check_mode=True)
    assert result["changed"]
    assert not root.exists()


def test_a_file_may_become_a_directory_and_back(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    run(capsys, root, files={"a": "1"})
    run(capsys, root, files={"a/b": "2"})
    assert content(root) == {"a/b": "2"}
    run(capsys, root, files={"a": "3"})
    assert content(root) == {"a": "3"}


def test_a_link_in_the_way_is_replaced_and_not_followed(
    capsys: pytest.CaptureFixture[str], root: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.write_text("mine")
    root.mkdir()
    (root / "a").symlink_to(outside)
    run(capsys, root, files={"a": "new"})
    assert outside.read_text() == "mine"
    assert (root / "a").read_text() == "new"
    assert not (root / "a").is_symlink()


def test_modes_are_set_and_repaired(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    args: dict[str, t.Any] = {"files": {"d/a": "1"}, "mode": "0640", "directory_mode": "0750"}
    run(capsys, root, **args)
    (root / "d/a").chmod(0o666)
    (root / "d").chmod(0o777)
    assert run(capsys, root, **args)["changed"]
    assert (mode(root / "d/a"), mode(root / "d"), mode(root)) == ("0640", "0750", "0750")
    assert not run(capsys, root, **args)["changed"]


def test_secrets_are_written_but_never_shown(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    result = run(capsys, root, secret_files={"login": "pass-word-1"}, mode="0600")
    assert content(root) == {"login": "pass-word-1"}
    assert "pass-word-1" not in result["out"]
    result = run(capsys, root, secret_files={"login": "pass-word-2"}, mode="0600")
    assert result["changed"]
    assert "pass-word" not in result["out"]


@pytest.mark.parametrize("option", ["files", "secret_files"])
@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({"password": "pass-word"}, "a dictionary"),
        (["pass-word"], "a list"),
        (True, "a boolean"),
        (5, "a number"),
        (None, "null"),
    ],
)
def test_e5_what_is_no_text_is_refused(
    capsys: pytest.CaptureFixture[str], root: Path, option: str, value: t.Any, kind: str
) -> None:
    result = run(capsys, root, **{option: {"a": "good", "b.json": value}})
    assert result["failed"]
    assert result["msg"].startswith(f"{option}: 'b.json' is {kind}, expected a text: ")
    # Older controllers show the arguments of any module that fails; only secrets are kept from that.
    shown = {name: told for name, told in result.items() if name not in ("out", "invocation")}
    assert "pass-word" not in (result["out"] if option == "secret_files" else str(shown))
    assert not root.exists()


@pytest.mark.parametrize("name", ["mode", "directory_mode"])
def test_a_mode_is_an_octal_number(capsys: pytest.CaptureFixture[str], root: Path, name: str) -> None:
    assert f"{name}: 'u=rw' is no mode" in run(capsys, root, files={"a": "1"}, **{name: "u=rw"})["msg"]
    assert not root.exists()


@pytest.mark.parametrize("given", ["0600", "0640", "0644"])
def test_e5_what_was_a_secret_is_not_shown_when_it_becomes_plain(
    capsys: pytest.CaptureFixture[str], root: Path, given: str
) -> None:
    run(capsys, root, secret_files={"login": "pass-word-1"}, mode=given)
    assert mode(root / "login")[-1] == "0"
    assert not run(capsys, root, secret_files={"login": "pass-word-1"}, mode=given)["changed"]
    result = run(capsys, root, files={"login": "plain"}, mode="0644")
    assert (result["diff"][0]["before"], result["diff"][0]["after"]) == (
        "(not readable by others, not shown)\n",
        "plain",
    )
    assert "pass-word" not in result["out"]
    assert mode(root / "login") == "0644"
    result = run(capsys, root, secret_files={"login": "pass-word-2"}, mode=given)
    assert "pass-word" not in result["out"]


def test_the_system_log_gets_names_only(
    capsys: pytest.CaptureFixture[str], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[str] = []
    monkeypatch.setattr(AnsibleModule, "log", lambda _self, msg, log_args=None: logged.append(f"{msg} {log_args}"))
    run(capsys, root, files={"a": "much text"}, secret_files={"b": "pass-word"})
    assert logged == [f"Invoked with path={root} names=a,b None"]


def test_a_secret_was_never_readable_for_others(
    capsys: pytest.CaptureFixture[str], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    replace = os.replace

    def spy(source: str, target: str) -> None:
        seen.append(mode(Path(source)))
        replace(source, target)

    monkeypatch.setattr(os, "replace", spy)
    run(capsys, root, secret_files={"login": "x"}, mode="0640")
    assert seen == ["0640"]


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a//b", "a/", "", "./a", "a/../b"])
def test_names_outside_the_directory_are_refused(capsys: pytest.CaptureFixture[str], root: Path, name: str) -> None:
    result = run(capsys, root, files={name: "1"})
    assert result["failed"]
    assert result["msg"].startswith("files: ")
    assert not root.exists()


def test_a_file_that_is_also_a_directory_is_refused(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    assert "rename one of them" in run(capsys, root, files={"a": "1", "a/b": "2"})["msg"]


def test_the_same_name_twice_is_refused(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    assert "keep one of them" in run(capsys, root, files={"a": "1"}, secret_files={"a": "2"})["msg"]


@pytest.mark.parametrize("path", ["/", "/etc", "relative/path"])
def test_a_path_that_is_too_wide_is_refused(capsys: pytest.CaptureFixture[str], path: str) -> None:
    assert "too wide" in run(capsys, path)["msg"]
