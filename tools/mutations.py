#!/usr/bin/env python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Break the collection in one place at a time, in a copy, and see that the tests notice: make mutations."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
APACHE, HAPROXY = "tests/unit/roles/test_apache_php.py", "tests/unit/roles/test_haproxy_render.py"
MYSQL, REDIS = "tests/unit/roles/test_mysql_server.py", "tests/unit/roles/test_redis_server.py"
PLAYBOOKS = "tests/unit/playbooks/test_playbooks.py"
FIREWALL = "tests/unit/roles/test_firewall.py"
ESTATE = "tests/unit/plugins/plugin_utils/azure_estate/test_run.py"
ODDITIES = "tests/unit/plugins/plugin_utils/azure_estate/test_oddities.py"
SITES, SITES_SERVED = "tests/unit/roles/test_apache_sites.py", "tests/services/test_apache_sites_serve.py"


@dataclass(frozen=True)
class Mutation:
    """A fault, the one place of the files below `path` that has it made, and the tests that must fail."""

    fault: str
    path: str
    old: str
    new: str
    tests: str


MUTATIONS = [
    Mutation(
        "a site may read everything",
        "roles/apache_php/templates",
        "php_admin_value[open_basedir] = {{ site.home }}/:",
        "php_admin_value[open_basedir] = /:",
        SITES,
    ),
    Mutation(
        "all sites run as one user",
        "roles/apache_php/templates",
        "user = {{ site.user }}",
        "user = www-data",
        SITES,
    ),
    Mutation(
        "a site's environment is everybody's to read",
        "roles/apache_php/vars",
        "'group': site.user, 'mode': '0640'",
        "'group': site.user, 'mode': '0644'",
        SITES,
    ),
    Mutation(
        "links of a site lead everywhere",
        "roles/apache_php/templates",
        "Options SymLinksIfOwnerMatch",
        "Options FollowSymLinks",
        SITES_SERVED,
    ),
    Mutation(
        "an allowed client gets hidden files below a restricted path",
        "roles/apache_php/templates",
        "AuthMerging And",
        "AuthMerging Off",
        SITES_SERVED,
    ),
    Mutation(
        "two sites may have one domain",
        "plugins/plugin_utils",
        "if len(set(names)) > 1:",
        "if len(set(names)) > 9:",
        "tests/unit/plugins/plugin_utils/test_sites.py",
    ),
    Mutation(
        "an archive writes where it wants",
        "plugins/module_utils",
        'if not path or path.startswith("/") or plain == ".." or plain.startswith("../")',
        "if not path",
        "tests/unit/plugins/module_utils/test_site_archive.py",
    ),
    Mutation(
        "a release is switched before it is whole",
        "plugins/module_utils",
        'part = place.releases / f".new-{release}"',
        "part = place.releases / release",
        "tests/unit/plugins/modules/test_site_release.py",
    ),
    Mutation(
        "a site's account reaches every database",
        "roles/mysql_server/vars",
        "account.databases | default([]) + account.own_databases",
        "__mysql_server_all_database_names + account.own_databases",
        "tests/unit/playbooks/test_sites.py",
    ),
    Mutation(
        "a page that is not there counts as healthy",
        "plugins/module_utils",
        'if answer.status != site["status"]:',
        "if answer.status >= 500:",
        "tests/unit/plugins/module_utils/test_front_door.py",
    ),
    Mutation("sync_binlog 0", "roles/mysql_server/templates", "sync_binlog = 1", "sync_binlog = 0", MYSQL),
    Mutation(
        "innodb_flush_log_at_trx_commit 2",
        "roles/mysql_server/templates",
        "innodb_flush_log_at_trx_commit = 1",
        "innodb_flush_log_at_trx_commit = 2",
        MYSQL,
    ),
    Mutation(
        "replication account with ALL",
        "roles/mysql_server",
        "privileges: [REPLICATION SLAVE]",
        "privileges: [ALL]",
        MYSQL,
    ),
    Mutation(
        "everybody is a trusted proxy",
        "roles/apache_php/templates",
        "RemoteIPInternalProxy {{ apache_php_trusted_proxies | join(' ') }}",
        "RemoteIPInternalProxy 0.0.0.0/0",
        APACHE,
    ),
    Mutation(
        "<Directory /> granted",
        "roles/apache_php/templates",
        "    AllowOverride None\n    Require all denied",
        "    AllowOverride None\n    Require all granted",
        APACHE,
    ),
    Mutation("display_errors On", "roles/apache_php/templates", "display_errors = Off", "display_errors = On", APACHE),
    Mutation(
        "opcache with all memory",
        "roles/apache_php/templates",
        "{{ __apache_php_opcache_mb }}",
        "{{ __apache_php_memory_mb }}",
        APACHE,
    ),
    Mutation(
        "the Redis monitor with ~* +@all",
        "roles/redis_server",
        "-@all +ping +info +role +wait +get +set ~ansible:canary:*",
        "~* +@all",
        REDIS,
    ),
    Mutation(
        "the firewall lets in whatever is not named",
        "roles/firewall/templates",
        "counter reject with icmpx admin-prohibited",
        "counter accept",
        FIREWALL,
    ),
    Mutation(
        "a run may lock itself out",
        "roles/firewall/vars",
        "siteops.webcluster.firewall_errors(__firewall_look.connection)",
        "siteops.webcluster.firewall_errors(none)",
        FIREWALL,
    ),
    Mutation(
        "databases are open to whoever may ask the web servers",
        "plugins/plugin_utils",
        'clients = addresses([*tiers["web"], *everybody])',
        'clients = addresses([*tiers["web"], *tiers["load_balancers"], *everybody])',
        "tests/unit/plugins/plugin_utils/test_flows.py",
    ),
    Mutation("appendonly no", "roles/redis_server", "appendonly: true", "appendonly: false", REDIS),
    Mutation(
        "HAProxy gets Redis' admin password",
        "playbooks",
        "hostvars[webcluster_topology.engines.redis.primary.name].redis_server_monitor_password",
        "hostvars[webcluster_topology.engines.redis.primary.name].redis_server_admin_password",
        f"{PLAYBOOKS}::test_haproxy_asks_redis_as_the_monitor",
    ),
    Mutation(
        "mysql_read looks for the primary",
        "plugins/plugin_utils",
        '("read", "replica")',
        '("read", "primary")',
        f"{PLAYBOOKS}::test_each_data_service_looks_for_its_own_role",
    ),
    Mutation(
        "X-Forwarded-For not set",
        "roles/haproxy/templates",
        "    http-request set-header X-Forwarded-For %[src]\n",
        "",
        HAPROXY,
    ),
    Mutation(
        "no_log ignored in the inventory check",
        "plugins/plugin_utils",
        'bool(option.get("no_log")) or ',
        "",
        "tests/unit/plugins/plugin_utils/test_variables.py",
    ),
    Mutation(
        "the filter topology is another function",
        "plugins/filter",
        '{"topology": _topology.topology}',
        '{"topology": _topology.host_errors}',
        "tests/unit/plugins/filter",
    ),
    Mutation(
        "an estate takes what is not ours",
        "plugins/plugin_utils/_azure_estate",
        "if not is_ours(found, wanted) and not (allowed.adopt and owner(found) is None):",
        "if False:",
        ESTATE,
    ),
    Mutation(
        "machines restart unasked",
        "plugins/plugin_utils/_azure_estate",
        "if step.restart and not allowed.restart:",
        "if False:",
        ESTATE,
    ),
    Mutation(
        "a rule that nobody needs stays open",
        "plugins/plugin_utils/_azure_estate",
        "stale = _stale_rules(resource, found)",
        "stale = []",
        ESTATE,
    ),
    Mutation(
        "an old etag overwrites another's change",
        "plugins/plugin_utils/_azure_estate",
        'etag = None if step.action == CREATE else member(step.found or {}, "etag")',
        "etag = None",
        ODDITIES,
    ),
    Mutation(
        "a list that lags behind is believed",
        "plugins/plugin_utils/_azure_estate",
        "if identity.lower() not in held}",
        "if False}",
        ODDITIES,
    ),
    Mutation(
        "data go with their estate",
        "plugins/plugin_utils/_azure_estate",
        "and not delete_data:",
        "and False:",
        ESTATE,
    ),
    Mutation(
        "a group of others is removed",
        "plugins/plugin_utils/_azure_estate",
        "if not removal.group_is_ours:",
        "if False:",
        ESTATE,
    ),
    Mutation(
        "the way of an operation leads to another host",
        "plugins/plugin_utils/_azure_estate",
        "link = self._arm.checked_link(listing, link)",
        "link = str(link)",
        "tests/unit/plugins/action/test_azure_estate.py",
    ),
    Mutation(
        "a rule of Azure's that only it can judge counts for nothing",
        "plugins/plugin_utils/_azure_ports",
        "if other:",
        "if False:",
        "tests/unit/plugins/plugin_utils/azure_ports",
    ),
]


def place(mutation: Mutation, checkout: Path) -> Path:
    """The one file that holds the text, once."""
    found = [path for path in (checkout / mutation.path).rglob("*") if path.is_file() and path.suffix != ".pyc"]
    found = [path for path in found if mutation.old in path.read_text(encoding="utf-8")]
    times = sum(path.read_text(encoding="utf-8").count(mutation.old) for path in found)
    if times != 1:
        sys.exit(
            f"{mutation.fault}: {mutation.old!r} stands {times} times below {mutation.path}; expected once: mend the table."
        )
    return found[0]


def failed_tests(tests: list[str], checkout: Path) -> str:
    """Return pytest's last line where tests failed, or nothing where all passed."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    last = (done.stdout.strip().splitlines() or [""])[-1]
    if done.returncode != 1 or " failed" not in last:
        sys.exit(f"The tests did not run:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return last


def copied(folder: str) -> Path:
    """A copy of the checkout without what is not its own."""
    unwanted = shutil.ignore_patterns(".git", ".venv*", ".ansible", ".cache", "__pycache__")
    # Links lead back to the checkout itself.
    return Path(shutil.copytree(CHECKOUT, Path(folder) / "copy", symlinks=True, ignore=unwanted))


def main() -> int:
    # Tests that fail without a fault would notice nothing.
    if failed := failed_tests(list(dict.fromkeys(mutation.tests for mutation in MUTATIONS)), CHECKOUT):
        sys.exit(f"The tests fail already without a fault: {failed}")
    survived = 0
    for mutation in MUTATIONS:
        with tempfile.TemporaryDirectory() as folder:
            copy = copied(folder)
            path = place(mutation, copy)
            path.write_text(path.read_text(encoding="utf-8").replace(mutation.old, mutation.new), encoding="utf-8")
            noticed = failed_tests([mutation.tests], copy)
        survived += not noticed
        print(f"{mutation.fault:42} {'noticed' if noticed else 'SURVIVED':9} {noticed}", flush=True)
    print(f"{len(MUTATIONS) - survived} of {len(MUTATIONS)} faults noticed")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
