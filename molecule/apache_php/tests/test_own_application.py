# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application of one's own on the second web server, by each variable that brings one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import testinfra
from ansible_collections.siteops.webcluster.molecule.utils.converging import changes, converge
from testinfra.host import Host

Ask = Callable[..., Any]
OWN = {
    "apache_php_document_root": "/srv/shop/public",
    "apache_php_extra_packages": ["php-intl"],
    "apache_php_extra_modules": ["rewrite", "proxy_balancer"],
    "apache_php_extra_config": 'RewriteEngine On\nRewriteRule "^/old$" "/new" [R=301]',
    "apache_php_ini_settings": {"memory_limit": "64M"},
    "apache_php_fpm_settings": {"env[SHOP]": "open"},
}
PAGE = "<?php echo json_encode([ini_get('memory_limit'), getenv('SHOP'), extension_loaded('intl'), __FILE__]);"


@pytest.fixture(scope="module")
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    """Stand in for the verifier's host, which is the first web server; the neutral page is back afterwards."""
    second = testinfra.get_host("ssh://moleculeweb2", ssh_config=request.config.getoption("ssh_config"), sudo=True)
    second.check_output("mkdir -p /srv/shop/public")
    for name in ("index.php", "uploads/shell.php", ".git/config", "index.php.bak"):
        second.check_output("printf %%s %s | install -D /dev/stdin %s", PAGE, f"/srv/shop/public/{name}")
    code, output = converge("apache_php", OWN, "--limit=moleculeweb2")
    assert code == 0, output
    yield second
    code, output = converge("apache_php", None, "--limit=moleculeweb2")
    assert code == 0, output


def test_page_is_served_with_its_settings_and_packages(ask: Ask) -> None:
    answer = ask("/")
    assert answer.status == 200
    assert json.loads(answer.text) == ["64M", "open", True, "/srv/shop/public/index.php"]


def test_own_module_and_own_lines_work_together(ask: Ask) -> None:
    answer = ask("/old")
    assert (answer.status, answer.headers["location"].endswith("/new")) == (301, True)


def test_a_module_comes_with_what_it_depends_on(host: Host) -> None:
    assert "slotmem_shm_module" in host.check_output("apache2ctl -M")


@pytest.mark.parametrize("path", ["/uploads/shell.php", "/.git/config", "/index.php.bak"])
def test_nothing_uploaded_is_run_and_nothing_hidden_is_shown(ask: Ask, path: str) -> None:
    answer = ask(path)
    assert answer.status == 403
    assert "memory_limit" not in answer.text


def test_what_cannot_run_is_refused_and_apache_goes_on(ask: Ask) -> None:
    # Without slotmem_shm, which comes with proxy_balancer: the syntax check says nothing, the start does.
    module = "LoadModule heartmonitor_module /usr/lib/apache2/modules/mod_heartmonitor.so"
    lonely = {**OWN, "apache_php_extra_modules": ["rewrite"], "apache_php_extra_config": module}
    code, output = converge("apache_php", lonely, "--limit=moleculeweb2")
    assert code != 0
    assert "failed to lookup provider 'shm' for 'slotmem'" in output
    assert ask("/").status == 200


def test_health_tells_who_on_the_host_is_silent(ask: Ask) -> None:
    silent = {**OWN, "apache_php_health_urls": ["http://127.0.0.1:9/livez"]}
    code, output = converge("apache_php", silent, "--limit=moleculeweb2")
    assert code == 0, output
    answer = ask("/healthz")
    assert (answer.status, answer.text) == (503, "no answer: http://127.0.0.1:9/livez\n")
    assert converge("apache_php", OWN, "--limit=moleculeweb2")[0] == 0


def test_the_cluster_still_sees_its_health(ask: Ask) -> None:
    assert ask("/healthz").status == 200


@pytest.mark.usefixtures("host")
def test_a_second_run_changes_nothing() -> None:
    code, output = converge("apache_php", OWN, "--limit=moleculeweb2")
    assert (code, changes(output)) == (0, 0), output
