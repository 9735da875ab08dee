# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders haproxy.cfg for many inputs in one Ansible run, and asks the real haproxy about each where there is one."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[3]
ROLE = CHECKOUT / "roles" / "haproxy"
HAPROXY = shlex.split(os.environ.get("HAPROXY_BINARY", "")) or [
    found for found in [shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/sbin")] if found
]
PASSWORD = "p$a s\"s'w\\ö#{rd"

Variables = dict[str, Any]
Rendered = dict[str, dict[str, Any]]


def web(*names: str, **more: object) -> list[Variables]:
    return [{"name": name, "address": f"10.0.0.{4 + at}", **more} for at, name in enumerate(names)]


def service(name: str, port: int, check: str | None = None, **more: object) -> Variables:
    servers = [
        {"name": "one", "address": "10.0.0.20", "port": port},
        {"name": "two", "address": "10.0.0.21", "port": port, "backup": True},
    ]
    return {"name": name, "bind_port": port, "servers": servers, **({"check": check} if check else {}), **more}


REDIS = {
    "haproxy_data_services": [
        service("redis_write", 6379, "redis_primary"),
        service("redis_read", 6380, "redis_replica"),
    ],
    "haproxy_redis_monitor_password": PASSWORD,
}
GOOD: dict[str, Variables] = {
    "http": {"haproxy_http_backends": web("web1", "web2")},
    "one_server": {"haproxy_http_backends": web("web1")},
    "weight_maxconn": {"haproxy_http_backends": web("web1", "web2", weight=7, maxconn=16, port=8080)},
    **{
        f"balance_{balance}": {"haproxy_http_backends": web("web1", "web2"), "haproxy_http_balance": balance}
        for balance in ("roundrobin", "source", "random")
    },
    "cookie": {"haproxy_http_backends": web("web1", "web2"), "haproxy_http_cookie": "SERVED"},
    "cookie_source": {
        "haproxy_http_backends": web("web1", "web2"),
        "haproxy_http_cookie": "SERVED",
        "haproxy_http_balance": "source",
    },
    "ipv6": {
        "haproxy_http_backends": [{"name": "web1", "address": "fd00::4"}],
        "haproxy_http_bind_address": "::",
        "haproxy_stats_bind_address": "fd00::52",
    },
    "lines": {
        "haproxy_http_backends": web("web1"),
        "haproxy_http_log_successes": False,
        "haproxy_global_settings": ["tune.bufsize 32768"],
        "haproxy_http_frontend_settings": ["http-request deny if { path_beg /admin }"],
        "haproxy_http_backend_settings": ["http-reuse always"],
        "haproxy_extra_config": "backend spare from http\n    server spare 10.0.0.9:80\n",
    },
    "mysql": {"haproxy_data_services": [service("mysql_write", 3306), service("mysql_read", 3307, "tcp")]},
    "mysql_roles": {
        "haproxy_data_services": [
            service("mysql_write", 3306, "mysql_primary"),
            service("mysql_read", 3307, "mysql_replica", check_port=9300),
        ]
    },
    "redis": REDIS,
    "redis_without_user": {**REDIS, "haproxy_redis_monitor_user": ""},
    "both": {"haproxy_http_backends": web("web1", "web2"), **REDIS},
    # Facts and listeners that are fine: haproxy itself, another address, another family, another port.
    "neighbours": {
        "haproxy_data_services": [service("mysql_write", 3306)],
        "test_listeners": [
            'LISTEN 0 4096 127.0.0.1:8404 0.0.0.0:* users:(("haproxy",pid=7,fd=5))',
            'LISTEN 0 80 10.0.0.5:3306 0.0.0.0:* users:(("mariadbd",pid=8,fd=5))',
            'LISTEN 0 80 [::1]:3306 [::]:* users:(("mariadbd",pid=8,fd=6))',
            'LISTEN 0 511 *:80 *:* users:(("apache2",pid=9,fd=4))',
        ],
    },
}
WEB = {"haproxy_http_backends": web("web1")}
# What is wrong, and what the sentence must say.
BAD: dict[str, tuple[Variables, str]] = {
    "nothing": ({}, "haproxy_http_backends and haproxy_data_services are both empty: give at least one"),
    "twice": (
        {"haproxy_http_backends": web("web1", "web1")},
        "haproxy_http_backends names a server twice (web1, web1)",
    ),
    "name": ({"haproxy_http_backends": web("web 1")}, 'rename "web 1".'),
    "line_break": ({"haproxy_http_backends": web("web1\n")}, 'rename "web1\\n".'),
    "address": (
        {"haproxy_http_backends": [{"name": "web1", "address": "10.0.0.4 backup"}]},
        'expected in the haproxy variables instead of "10.0.0.4 backup"',
    ),
    "port": ({"haproxy_http_backends": web("web1", port=70000)}, "A port between 1 and 65535 was expected"),
    "check_port": (
        {"haproxy_data_services": [service("db", 3306, "mysql_primary", check_port=0)]},
        "A port between 1 and 65535 was expected in the haproxy variables instead of 0.",
    ),
    "weight": ({"haproxy_http_backends": web("web1", weight=300)}, "A weight between 0 and 256 was expected"),
    "cookie_name": ({**WEB, "haproxy_http_cookie": "a b"}, "haproxy_http_cookie may have letters"),
    "path": ({**WEB, "haproxy_http_check_path": "healthz"}, "haproxy_http_check_path must be a path"),
    "stats": ({**WEB, "haproxy_stats_bind_address": "*"}, "haproxy_stats_bind_address is *, which is every address"),
    "timeout": ({**WEB, "haproxy_http_server_timeout": 0}, "must be above 0"),
    "service_twice": (
        {
            "haproxy_data_services": [
                service("db", 3306),
                service("db", 3307, servers=[{"name": "a", "address": "h", "port": 1}]),
            ]
        },
        "haproxy_data_services names a service twice",
    ),
    "reserved": ({"haproxy_data_services": [service("web", 3306)]}, "takes a name this role uses itself"),
    "server_twice": (
        {"haproxy_data_services": [service("db", 3306, servers=[{"name": "a", "address": "h", "port": 1}] * 2)]},
        "names a server of a service twice (db/a, db/a)",
    ),
    "no_server": ({"haproxy_data_services": [service("db", 3306, servers=[])]}, "has no server for db"),
    "password": ({**REDIS, "haproxy_redis_monitor_password": ""}, "haproxy_redis_monitor_password is empty"),
    "same_port": ({"haproxy_data_services": [service("db", 8404)]}, "use one address and port twice"),
    "taken": (
        {**WEB, "test_listeners": ['LISTEN 0 511 *:80 *:* users:(("apache2",pid=9,fd=4))']},
        "Port 80 of lb1 is already taken by apache2 on *: stop that program, or choose another port with "
        "haproxy_http_bind_port.",
    ),
    "taken_by_nobody": (
        {"haproxy_data_services": [service("db", 3306)], "test_listeners": ["LISTEN 0 80 127.0.0.1:3306 0.0.0.0:*"]},
        "already taken by another program on 127.0.0.1: stop that program, or choose another port with bind_port",
    ),
    "system": (
        {**WEB, "test_release": "11"},
        "lb1 runs Debian 11, but haproxy supports Debian 12, Debian 13, Debian sid: use",
    ),
}
# One task for all inputs: a task for each would cost a second each.
PLAY = """
- name: Render
  hosts: localhost
  gather_facts: false
  vars_files: [{role}/vars/main.yml, {out}/cases.json]
  tasks:
    - name: Render every input
      ansible.builtin.template:
        src: {out}/all.j2
        dest: {out}/rendered.json
        mode: "0600"
"""
FINDINGS = "{{ __haproxy_findings | selectattr('wrong') | map(attribute='say') | to_json }}"
ALL = """{% for name, values in cases.items() %}
{{ '{' if loop.first else ',' }}{{ name | to_json }}: {
"findings": {{ lookup('ansible.builtin.template', out ~ '/findings.j2', template_vars=values) }},
"config": {{ lookup('ansible.builtin.template', role ~ '/templates/haproxy.cfg.j2', template_vars=values) | to_json }}}
{% endfor %}
}
"""


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """The findings and the configuration of every input."""
    out = tmp_path_factory.mktemp("haproxy")
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text(encoding="utf-8"))
    cases = {}
    for name, variables in {**GOOD, **{name: bad[0] for name, bad in BAD.items()}}.items():
        cases[name] = {**defaults, **variables, "inventory_hostname": "lb1", "role_path": str(ROLE)}
        cases[name]["__haproxy_listeners"] = {"stdout_lines": cases[name].pop("test_listeners", [])}
        cases[name]["ansible_facts"] = {
            "distribution": "Debian",
            "distribution_major_version": cases[name].pop("test_release", "13"),
            "distribution_release": "some",
        }
    files = {
        "cases.json": json.dumps({"cases": cases, "out": str(out), "role": str(ROLE)}),
        "all.j2": ALL,
        "findings.j2": FINDINGS,
        "play.yml": PLAY.format(role=ROLE, out=out),
    }
    for name, text in files.items():
        (out / name).write_text(text, encoding="utf-8")
    run = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", "-c", "local", out / "play.yml"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "DEPRECATION" not in run.stderr + run.stdout
    return json.loads((out / "rendered.json").read_text(encoding="utf-8"))


def section(config: str, header: str) -> str:
    """The lines of one section."""
    match = re.search(rf"^{header}\b.*?(?=^\S|\Z)", config, re.MULTILINE | re.DOTALL)
    assert match, f"no section {header!r} in\n{config}"
    return match[0]


@pytest.mark.parametrize("name", GOOD)
def test_good_input_has_no_finding(name: str, rendered: Rendered) -> None:
    assert rendered[name]["findings"] == []


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_in_one_sentence(name: str, rendered: Rendered) -> None:
    findings = rendered[name]["findings"]
    assert len(findings) == 1, findings
    assert BAD[name][1] in findings[0]
    assert PASSWORD not in findings[0]


@pytest.mark.skipif(not HAPROXY, reason="haproxy is not installed here; the molecule scenario runs it on its hosts")
@pytest.mark.parametrize("name", GOOD)
def test_haproxy_accepts_the_file_without_a_warning(name: str, rendered: Rendered, tmp_path: Path) -> None:
    (tmp_path / "haproxy.cfg").write_text(rendered[name]["config"], encoding="utf-8")
    # -dW: a warning is an error.
    command = [*HAPROXY, "-c", "-dW", "-f", str(tmp_path / "haproxy.cfg")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.fixture
def config(rendered: Rendered) -> Callable[[str], str]:
    return lambda name: str(rendered[name]["config"])


def test_each_profile_is_left_out_when_it_has_nothing_to_do(config: Callable[[str], str]) -> None:
    assert "defaults data" not in config("http")
    assert "frontend www" not in config("redis")
    assert "frontend stats" in config("redis")


def test_http_profile_never_cuts_the_sessions_of_a_failed_server(config: Callable[[str], str]) -> None:
    assert not re.search(r"^ *default-server .*shutdown-sessions", section(config("both"), "backend web"), re.MULTILINE)
    assert "on-marked-down shutdown-sessions" in section(config("both"), "listen redis_write")


def test_only_methods_that_change_nothing_are_repeated(config: Callable[[str], str]) -> None:
    backend = section(config("http"), "backend web")
    assert "retry-on conn-failure empty-response response-timeout" in backend
    assert "http-request disable-l7-retry unless METH_GET" in backend


def test_source_hashing_is_consistent(config: Callable[[str], str]) -> None:
    assert "hash-type consistent" in section(config("balance_source"), "backend web")
    assert "hash-type" not in config("http")


def test_cookie_names_each_server(config: Callable[[str], str]) -> None:
    backend = section(config("cookie"), "backend web")
    assert "cookie SERVED insert indirect nocache httponly" in backend
    assert "server web2 10.0.0.5:80 weight 100 cookie web2" in backend


def test_weight_and_maxconn_reach_the_server_line(config: Callable[[str], str]) -> None:
    assert "server web1 10.0.0.4:8080 weight 7 maxconn 16\n" in config("weight_maxconn")


def test_stats_are_bound_to_their_own_address_only(config: Callable[[str], str]) -> None:
    assert "bind 127.0.0.1:8404" in section(config("http"), "frontend stats")
    assert "stats" not in section(config("http"), "frontend www")


def test_backup_server_serves_tcp_services(config: Callable[[str], str]) -> None:
    assert "server two 10.0.0.21:3307 backup\n" in section(config("mysql"), "listen mysql_read")
    assert "backup" not in config("redis")


def test_mysql_services_go_by_the_live_role(config: Callable[[str], str]) -> None:
    write = section(config("mysql_roles"), "listen mysql_write")
    assert "http-check send meth GET uri /primary\n" in write
    assert "default-server check port 9200 inter 1s" in write
    assert "content accept if { nbsrv(mysql_write) eq 1 }" in write
    read = section(config("mysql_roles"), "backend mysql_read")
    assert "http-check send meth GET uri /replica\n" in read
    assert "default-server check port 9300 inter 1s" in read
    fallback = section(config("mysql_roles"), "backend mysql_read_primary")
    assert "http-check send meth GET uri /primary\n" in fallback
    assert "backup" not in config("mysql_roles")
    assert "default_backend mysql_read_primary" in section(config("mysql_roles"), "frontend mysql_read")
    assert "check port" not in config("mysql") + config("redis")


def test_redis_login_is_a_redis_command_byte_by_byte(config: Callable[[str], str]) -> None:
    for name, words in {"redis": ["AUTH", "monitor", PASSWORD], "redis_without_user": ["AUTH", PASSWORD]}.items():
        sent = re.search(r"send-binary ([0-9a-f]+)$", config(name), re.MULTILINE)
        assert sent
        command = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w.encode()), w.encode()) for w in words)
        assert bytes.fromhex(sent[1]) == command
        assert PASSWORD not in config(name)
