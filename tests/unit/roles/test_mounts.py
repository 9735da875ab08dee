# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a web server is told of folders that other servers hold, and what systemd says of their units."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.tests.checkers import PATH, need
from ansible_collections.siteops.webcluster.tests.pretended_hosts import Case, Run, play_role

SHOP: dict[str, Any] = {
    "name": "shop",
    "domains": ["shop.example"],
    "release": "0123456789ab",
    "archive": "/cache/shop-0123456789ab.tar.gz",
    "shared_folders": ["wp-content/uploads", "cache", "files"],
    "mounts": [
        {"folder": "wp-content/uploads", "src": "nas.example:/exports/shop", "opts": "vers=4.2,softerr"},
        {
            "folder": "files",
            "src": "//account.file.core.windows.net/100%",
            "fstype": "cifs",
            "user": "account",
            "password": "share-secret",
        },
    ],
    "cron": [{"name": "bill", "schedule": "@hourly", "command": "true"}],
}
BLOG: dict[str, Any] = {"name": "blog", "domains": ["blog.example"], "shared_folders": ["uploads"]}
CIFS: dict[str, Any] = {**SHOP, "shared_folders": ["files"], "mounts": SHOP["mounts"][1:]}
USUAL: dict[str, Any] = {"apache_php_memory_mb": 1024, "apache_php_apt_cache_valid_time": 3600}
MISSING = {"preflight": {"missing_packages": ["nfs-common"], "findings": [], "adopts": False, "present": []}}
CASES = {
    "mounts": Case({**USUAL, "apache_php_sites": [SHOP, BLOG]}, answers=MISSING),
    "cifs": Case({**USUAL, "apache_php_sites": [CIFS]}),
    "none": Case({**USUAL, "apache_php_sites": [BLOG]}),
    "bad": Case({**USUAL, "apache_php_sites": [{**BLOG, "mounts": [{"folder": "other", "src": "nas.example:/x"}]}]}),
}
UNITS = "/etc/systemd/system/"
UPLOADS, FILES = r"srv-webcluster-shop-shared-wp\x2dcontent-uploads", "srv-webcluster-shop-shared-files"
# The numbers follow from the name alone, on every web server.
NUMBER = 98172


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return play_role("apache_php", CASES, tmp_path_factory.mktemp("mounts"))


def lines(run: Run, name: str, file: str) -> list[str]:
    return run.file(name, file).content.splitlines()


def test_each_folder_is_mounted_when_somebody_asks_and_before_php_starts(run: Run) -> None:
    calls = run.of("mounts", "configured_service")
    assert [call["name"] for call in calls][:3] == [f"{UPLOADS}.automount", f"{FILES}.automount", "php8.4-fpm"]
    mount, automount = (lines(run, "mounts", f"{UPLOADS}.{kind}") for kind in ("mount", "automount"))
    for line in (
        "What=nas.example:/exports/shop",
        "Where=/srv/webcluster/shop/shared/wp-content/uploads",
        "Type=nfs4",
        "Options=_netdev,nosuid,nodev,noexec,vers=4.2,softerr",
        "StartLimitIntervalSec=0",
    ):
        assert line in mount
    assert f"Requires=webcluster-mount-point@{UPLOADS}.service" in automount


def test_a_login_is_in_a_file_for_root_and_nowhere_else(run: Run) -> None:
    credentials = run.file("mounts", "shop.files")
    assert (credentials.arguments["owner"], credentials.arguments["mode"]) == ("root", "0600")
    assert "content" not in credentials.arguments
    assert credentials.content == "username=account\npassword=share-secret\n"
    options = next(line for line in lines(run, "mounts", f"{FILES}.mount") if line.startswith("Options="))
    assert "credentials=/etc/webcluster-mounts/shop.files" in options
    assert "uid=site-shop,gid=web-shop,forceuid,forcegid,file_mode=0640,dir_mode=0750" in options
    assert "What=//account.file.core.windows.net/100%%" in lines(run, "mounts", f"{FILES}.mount")
    texts = [
        str(file.get("content")) for call in run.of("mounts", "configured_service") for file in call["files"] if file
    ]
    assert "share-secret" not in "".join(texts) + run.output


def test_packages_come_with_the_others(run: Run) -> None:
    asked = run.of("mounts", "preflight")[0]
    assert {"nfs-common", "cifs-utils"} <= set(asked["packages"])
    assert not {"nfs-common", "cifs-utils"} & set(run.of("none", "preflight")[0]["packages"])
    assert len(run.of("mounts", "apt")) == 1


def test_the_host_is_asked_whether_a_mount_would_hide_files_and_whose_numbers_it_has(run: Run) -> None:
    asked = run.of("mounts", "preflight")[0]
    shared = "/srv/webcluster/shop/shared"
    assert asked["mounts"] == [{"path": f"{shared}/{name}", "site": "shop"} for name in ("wp-content/uploads", "files")]
    assert asked["accounts"] == [
        {"kind": "user", "name": "site-shop", "number": NUMBER, "site": "shop"},
        {"kind": "group", "name": "site-shop", "number": NUMBER, "site": "shop"},
        {"kind": "group", "name": "web-shop", "number": NUMBER + 1, "site": "shop"},
    ]
    assert run.of("cifs", "preflight")[0]["accounts"] == []


def test_files_on_nfs_carry_the_same_number_everywhere(run: Run) -> None:
    users = sysusers(run, "mounts", "shop")
    assert f'u site-shop {NUMBER} "Site shop" /srv/webcluster/shop /usr/sbin/nologin' in users
    assert f"g web-shop {NUMBER + 1}" in users
    for name, site in (("mounts", "blog"), ("cifs", "shop")):
        assert f"g web-{site} -" in sysusers(run, name, site)


def sysusers(run: Run, name: str, site: str) -> list[str]:
    return written(run, name, f"/etc/sysusers.d/webcluster-site-{site}.conf")


def written(run: Run, name: str, path: str) -> list[str]:
    found = [file for call in run.of(name, "configured_service") for file in call["files"] if file["path"] == path]
    assert len(found) == 1
    return str(found[0]["content"]).splitlines()


def test_nobody_but_a_mounts_server_is_asked_to_make_its_folder(run: Run) -> None:
    folders = written(run, "mounts", "/etc/tmpfiles.d/webcluster-site-shop.conf")
    made = [line.split()[1] for line in folders if line.startswith("d ")]
    assert "/srv/webcluster/shop/shared/cache" in made
    assert not {"/srv/webcluster/shop/shared/files", "/srv/webcluster/shop/shared/wp-content/uploads"} & set(made)
    code = run.one("mounts", "site_release")["sites"][0]
    assert code["mounted_folders"] == ["wp-content/uploads", "files"]
    assert code["shared_folders"] == SHOP["shared_folders"]


def test_a_cron_job_waits_for_the_folders_of_its_site(run: Run) -> None:
    shared = "/srv/webcluster/shop/shared"
    service = lines(run, "mounts", "webcluster-cron-shop-bill.service")
    assert f"RequiresMountsFor={shared}/wp-content/uploads {shared}/files" in service


def test_what_is_mounted_no_more_is_removed_before_its_folder_is_the_sites_own_again(run: Run) -> None:
    php = next(call for call in run.of("none", "configured_service") if call["name"] == "php8.4-fpm")
    assert {
        f"{UNITS}srv-webcluster-*-shared-*.automount",
        f"{UNITS}srv-webcluster-*-shared-*.mount",
        f"{UNITS}webcluster-mount-point@.service",
        "/etc/webcluster-mounts/*",
    } <= set(php["owns"])
    assert php["leaves"] == []
    kept = next(call for call in run.of("mounts", "configured_service") if call["name"] == "php8.4-fpm")["leaves"]
    ours = [
        file["path"]
        for call in run.of("mounts", "configured_service")
        if call["name"].endswith(".automount")
        for file in call["files"]
    ]
    assert set(kept) == set(ours)


def test_a_mount_that_cannot_be_ends_the_role_before_it_changes_anything(run: Run) -> None:
    assert "Site blog: mounts names other, expected one of shared_folders (uploads)" in run.refusal("bad")
    assert not run.of("bad", "configured_service")


def test_systemd_accepts_the_units(run: Run, tmp_path: Path) -> None:
    need("systemd-analyze")
    names = []
    for call in run.of("mounts", "configured_service"):
        for file in call["files"] if call["name"].endswith(".automount") else []:
            if file["path"].startswith(UNITS):
                names.append(file["path"].removeprefix(UNITS))
                (tmp_path / names[-1]).write_text(file["content"], encoding="utf-8")
    own = [str(tmp_path / name) for name in dict.fromkeys(names) if "@" not in name]
    point = str(tmp_path / f"webcluster-mount-point@{UPLOADS}.service")
    asked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *own, point],
        env={"PATH": PATH, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (asked.returncode, asked.stderr) == (0, "")
