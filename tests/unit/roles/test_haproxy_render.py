# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role with many inputs: haproxy.cfg of each, the real haproxy's word on it, and what is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _acme
from ansible_collections.siteops.webcluster.tests.certificates import issue
from ansible_collections.siteops.webcluster.tests.checkers import check, need
from ansible_collections.siteops.webcluster.tests.pretended_hosts import Case, Run, play_role
from cryptography.x509 import DNSName

SITE, SHOP = issue("www.example.org"), issue("shop.example.org")
WIDE = issue("wide.example", names=[DNSName("*.wide.example"), DNSName("wide.example")])
MANY = [issue(f"www{number}.example.org") for number in range(70)]
PASSWORD = "p$a s\"s'w\\ö#{rd"

Variables = dict[str, Any]


def case(variables: Variables) -> Case:
    """A host with these variables; names that begin with test_ are about the host itself."""
    own = dict(variables)
    looked = {"missing_packages": [], "findings": own.pop("test_findings", []), "present": own.pop("test_present", [])}
    replies = {"preflight": looked, **own.pop("test_replies", {})}
    return Case(own, release=own.pop("test_release", "13"), answers=replies)


def web(*names: str, **more: object) -> list[Variables]:
    return [{"name": name, "address": f"10.0.0.{4 + at}", **more} for at, name in enumerate(names)]


def service(name: str, port: int, check: str | None = None, **more: object) -> Variables:
    servers = [
        {"name": "one", "address": "10.0.0.20", "port": port},
        {"name": "two", "address": "10.0.0.21", "port": port, "backup": True},
    ]
    return {"name": name, "bind_port": port, "servers": servers, **({"check": check} if check else {}), **more}


ACCOUNT = _acme.new_key()
ACME = {
    "haproxy_acme_certificates": [{"name": "shop", "domains": ["shop.example", "www.shop.example"]}],
    "haproxy_acme_account_key": ACCOUNT,
}
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
    "proxies": {
        "haproxy_http_backends": web("web1", "web2", send_proxy=True),
        "haproxy_http_proxy_sources": [*(f"10.9.{number}.0/24" for number in range(70)), "fd00::/64", "192.0.2.1"],
        "haproxy_http_cookie": "SERVED",
    },
    "proxies_json": {
        "haproxy_http_backends": web("web1", maxconn=16),
        "haproxy_http_proxy_sources": ["192.0.2.1"],
        "haproxy_http_log_format": "json",
        "haproxy_http_client_requests_action": "refuse",
        "haproxy_https_certificates": [SITE.variables()],
    },
    "proxies_acme": {
        "haproxy_http_backends": web("web1", send_proxy="true"),
        "haproxy_http_proxy_sources": ["192.0.2.1"],
        "haproxy_http_balance": "source",
        **ACME,
    },
    "proxies_to_services": {
        "haproxy_data_services": [
            service("smtp", 2525, send_proxy=True),
            service("mysql_write", 3306, "mysql_primary", send_proxy=True),
            service("redis_read", 6380, "redis_replica", send_proxy=True),
        ],
        "haproxy_redis_monitor_password": PASSWORD,
    },
    "cookie": {"haproxy_http_backends": web("web1", "web2"), "haproxy_http_cookie": "SERVED"},
    "cookie_source": {
        "haproxy_http_backends": web("web1", "web2"),
        "haproxy_http_cookie": "SERVED",
        "haproxy_http_balance": "source",
    },
    "https_off": {"haproxy_http_backends": web("web1"), "haproxy_https_enabled": False},
    "https": {
        "haproxy_http_backends": web("web1"),
        "haproxy_https_certificates": [SITE.variables(), SHOP.variables()],
        "haproxy_https_bind_port": 8443,
    },
    "many_certificates": {
        "haproxy_http_backends": web("web1"),
        "haproxy_https_certificates": [one.variables() for one in (WIDE, *MANY)],
    },
    "acme": {"haproxy_http_backends": web("web1"), **ACME},
    "acme_beside_own": {
        "haproxy_http_backends": web("web1"),
        **ACME,
        "haproxy_https_certificates": [SITE.variables()],
        "haproxy_https_redirect": False,
        "haproxy_acme_obtain": False,
        "haproxy_acme_authorities": SHOP.certificate,
        "haproxy_acme_directory": "https://ca.internal:9000/acme/directory",
    },
    "acme_without_https": {"haproxy_http_backends": web("web1"), **ACME, "haproxy_https_enabled": False},
    "with_placeholder": {"haproxy_http_backends": web("web1"), "test_present": ["/etc/haproxy/placeholder.pem"]},
    "https_after_acme": {
        "haproxy_http_backends": web("web1"),
        "haproxy_https_certificates": [SITE.variables()],
        "test_present": ["/etc/webcluster-acme/settings.json"],
    },
    "https_without_redirect": {
        "haproxy_http_backends": web("web1"),
        "haproxy_https_certificates": [SITE.variables()],
        "haproxy_https_redirect": False,
    },
    "https_without_hsts": {
        "haproxy_http_backends": web("web1"),
        "haproxy_https_certificates": [SITE.variables()],
        "haproxy_https_hsts_max_age": 0,
    },
    "ipv6": {
        "haproxy_http_backends": [{"name": "web1", "address": "fd00::4"}],
        "haproxy_http_bind_address": "::",
        "haproxy_stats_bind_address": "fd00::52",
    },
    # As -e name=value gives them.
    "texts": {
        "haproxy_http_backends": web("web1"),
        "haproxy_http_request_time_limit": "40",
        "haproxy_http_upload_limit_mb": "16",
        "haproxy_maxconn": "2000",
        "haproxy_hard_stop_after": "61",
    },
    "numbers": {
        "haproxy_http_backends": web("web1"),
        "haproxy_http_request_time_limit": 40,
        "haproxy_http_upload_limit_mb": 16,
        "haproxy_maxconn": 2000,
        "haproxy_hard_stop_after": 61,
    },
    "lines": {
        "haproxy_http_backends": web("web1"),
        "haproxy_http_log_successes": False,
        "haproxy_global_settings": ["tune.bufsize 32768"],
        "haproxy_http_frontend_settings": ["http-request deny if { path_beg /admin }"],
        "haproxy_http_backend_settings": ["http-reuse always"],
        "haproxy_extra_config": "backend spare from http\n    server spare 10.0.0.9:80\n",
    },
    "journal": {"haproxy_http_backends": web("web1"), "haproxy_http_log_target": "journal"},
    "mysql": {"haproxy_data_services": [service("mysql_write", 3306), service("mysql_read", 3307, "tcp")]},
    "mysql_roles": {
        "haproxy_data_services": [
            service("mysql_write", 3306, "mysql_primary"),
            service("mysql_read", 3307, "mysql_replica", check_port=9300),
        ]
    },
    "json_and_refuse": {
        "haproxy_http_backends": web("web1"),
        "haproxy_http_log_format": "json",
        "haproxy_http_client_requests": "50",
        "haproxy_http_client_requests_action": "refuse",
        "haproxy_http_security_headers": False,
        "haproxy_http_cache_mb": 0,
    },
    "limits": {
        "haproxy_http_backends": web("web1", "web2"),
        "haproxy_http_request_time_limit": 120,
        "haproxy_http_upload_limit_mb": 3000,
        "haproxy_http_client_connections": 500,
        "haproxy_http_client_bodies": 7,
    },
    "sites": {
        "haproxy_http_backends": web("web1", "web2"),
        "haproxy_http_sites": [
            {
                "name": "shop",
                "domains": ["shop.example", "*.shop.example"],
                "request_time_limit": 90,
                "upload_limit_mb": 15,
            },
            {"name": "blog", "domains": ["blog.shop.example"]},
        ],
    },
    "any_site": {
        "haproxy_http_backends": web("web1"),
        "haproxy_http_sites": [{"name": "shop", "domains": ["*"], "upload_limit_mb": 3000}],
    },
    "redis": REDIS,
    "redis_without_user": {**REDIS, "haproxy_redis_monitor_user": ""},
    "both": {"haproxy_http_backends": web("web1", "web2"), **REDIS},
}
WEB = {"haproxy_http_backends": web("web1")}
PROGRAM = "/usr/local/lib/webcluster/acme-certificates.py"
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
    "cache": (
        {"haproxy_http_backends": web("web1"), "haproxy_http_cache_mb": 5000},
        "haproxy_http_cache_mb is 5000; expected a number of MiB from 0 to 4095: correct it.",
    ),
    "weight": ({"haproxy_http_backends": web("web1", weight=300)}, "A weight between 0 and 256 was expected"),
    "cookie_name": ({**WEB, "haproxy_http_cookie": "a b"}, "haproxy_http_cookie may have letters"),
    "path": ({**WEB, "haproxy_http_check_path": "healthz"}, "haproxy_http_check_path must be a path"),
    "proxy_name": (
        {**WEB, "haproxy_http_proxy_sources": ["10.0.0.4", "lb.example", "10.0.0.0/33"]},
        "haproxy_http_proxy_sources holds lb.example, 10.0.0.0/33, expected addresses and networks such as",
    ),
    "any_proxy": (
        {**WEB, "haproxy_http_proxy_sources": ["10.0.0.4", "::/0"]},
        "haproxy_http_proxy_sources holds ::/0, so that everybody could say to be somebody else: name the proxies",
    ),
    "certificate": (
        {**WEB, "haproxy_https_certificates": [{**SITE.variables(), "private_key": SHOP.private_key}]},
        "haproxy_https_certificates, number 1: private_key is not the key of 'CN=www.example.org': give the one",
    ),
    "no_key": ({**WEB, "haproxy_https_certificates": [{"certificate": SITE.certificate}]}, "private_key"),
    "acme_key": (
        {**WEB, **ACME, "haproxy_acme_account_key": ""},
        "haproxy_acme_account_key is empty, expected an RSA key in PEM, the same for all load balancers",
    ),
    "acme_wildcard": (
        {**WEB, **ACME, "haproxy_acme_certificates": [{"name": "shop", "domains": ["*.shop.example"]}]},
        "haproxy_acme_certificates: shop has the domain *.shop.example, for which HTTP-01 gives no certificate",
    ),
    "requests": ({**WEB, "haproxy_http_client_requests": 0}, "expected in haproxy_http_client_requests: correct it."),
    "https_port": ({**WEB, "haproxy_https_bind_port": 80}, "use one address and port twice"),
    "hsts": ({**WEB, "haproxy_https_hsts_max_age": -1}, "haproxy_https_hsts_max_age is -1, expected 0 seconds or more"),
    "stats": ({**WEB, "haproxy_stats_bind_address": "*"}, "haproxy_stats_bind_address is *, which is every address"),
    "timeout": (
        {**WEB, "haproxy_http_request_time_limit": 0},
        "A number above 0 was expected in haproxy_http_request_time_limit: correct it.",
    ),
    "domain_twice": (
        {
            **WEB,
            "haproxy_http_sites": [
                {"name": "shop", "domains": ["a.example"]},
                {"name": "blog", "domains": ["a.example"]},
            ],
        },
        "Domain a.example is in the sites shop and blog; expected one site for it",
    ),
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
    "authority": (
        {"haproxy_data_services": [service("cache", 6379, tls=True)]},
        "haproxy_data_ca_certificate is empty, but cache in haproxy_data_services speak TLS: give the certificate",
    ),
    "mysql_over_tls": (
        {"haproxy_data_services": [service("db", 3306, "mysql_primary", tls=True)], "haproxy_data_ca_certificate": "x"},
        "haproxy_data_services has tls for db, but MySQL's protocol begins without TLS: remove it",
    ),
    "same_port": ({"haproxy_data_services": [service("db", 8404)]}, "use one address and port twice"),
    "taken": ({**WEB, "test_findings": ["Port 80 is already taken."]}, "Port 80 is already taken."),
    "system": (
        {**WEB, "test_release": "11"},
        "HOST runs Debian 11, but haproxy supports Debian 12, Debian 13, Debian sid: use",
    ),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The role on a host for each input, named as the input."""
    cases = {name: case(variables) for name, variables in GOOD.items()}
    cases |= {name: case(variables) for name, (variables, _words) in BAD.items()}
    return play_role("haproxy", cases, tmp_path_factory.mktemp("haproxy"))


def section(config: str, header: str) -> str:
    """The lines of one section."""
    match = re.search(rf"^{header}\b.*?(?=^\S|\Z)", config, re.MULTILINE | re.DOTALL)
    assert match, f"no section {header!r} in\n{config}"
    return match[0]


def configured(run: Run, host: str, service: str = "haproxy") -> dict[str, Any]:
    """What the host is told of a service."""
    [found] = [each for each in run.of(host, "configured_service") if each["name"] == service]
    return found


def named_files(run: Run, host: str) -> dict[str, str]:
    """What the configuration names and is there before it, by path."""
    files = configured(run, host)["files"]
    return {file["path"]: file.get("content") or file["secret_content"] for file in files if file.get("first")}


def section_words(unit: str, setting: str) -> list[str]:
    """What a unit says of a setting."""
    return [word for line in re.findall(rf"(?m)^{setting}=(.*)$", unit) for word in line.split()]


def placeholders(run: Run, host: str) -> list[str]:
    """Which ones are made on the host."""
    return [arguments["creates"] for arguments in run.of(host, "command") if "creates" in arguments]


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_before_anything_is_changed(name: str, run: Run) -> None:
    assert BAD[name][1].replace("HOST", name) in run.refusal(name)
    assert PASSWORD not in run.refusal(name)
    assert run.of(name, "apt") + run.of(name, "configured_service") == []


@pytest.mark.parametrize("name", GOOD)
def test_haproxy_accepts_the_file_without_a_warning(name: str, run: Run, tmp_path: Path) -> None:
    need("haproxy")
    assert run.refusal(name) == ""
    written = run.file(name, "haproxy.cfg")
    # The unit makes it before the start.
    state = tmp_path / "server-state"
    state.write_text("1\n", encoding="utf-8")
    content = written.content.replace("/run/haproxy/server-state", str(state))
    content = content.replace("/etc/haproxy/", f"{tmp_path}/")
    (tmp_path / "placeholder.pem").write_text(SITE.certificate + SITE.private_key, encoding="utf-8")
    (tmp_path / "certificates").mkdir()
    # What systemd-tmpfiles makes.
    (tmp_path / "acme").mkdir()
    for file in ("certificates.list", "trusted.names"):
        (tmp_path / "acme" / file).touch()
    for path, text in named_files(run, name).items():
        here = Path(path.replace("/etc/haproxy/", f"{tmp_path}/"))
        here.write_text(text.replace("/etc/haproxy/", f"{tmp_path}/"), encoding="utf-8")
    # -dW: a warning is an error.
    asked = check(written.arguments["validate"].replace(" -c ", " -c -dW "), content, tmp_path)
    assert asked.returncode == 0, asked.stdout + asked.stderr


def test_haproxy_refuses_a_broken_file_by_the_same_command(run: Run, tmp_path: Path) -> None:
    need("haproxy")
    written = run.file("http", "haproxy.cfg")
    asked = check(written.arguments["validate"], written.content + "    no-such-keyword\n", tmp_path)
    assert "no-such-keyword" in asked.stderr
    assert asked.returncode != 0


@pytest.mark.parametrize("name", ["redis", "lines"])
def test_b8_file_with_secrets_is_for_root_and_haproxy_only(name: str, run: Run) -> None:
    wanted = {"owner": "root", "group": "haproxy", "mode": "0640"}
    assert wanted.items() <= run.file(name, "haproxy.cfg").arguments.items()
    assert "content" not in run.file(name, "haproxy.cfg").arguments
    assert run.file("http", "haproxy.cfg").arguments["mode"] == "0644"


@pytest.fixture
def config(run: Run) -> Callable[[str], str]:
    return lambda name: run.file(name, "haproxy.cfg").content


def test_each_profile_is_left_out_when_it_has_nothing_to_do(config: Callable[[str], str]) -> None:
    assert "defaults data" not in config("http")
    assert "frontend www" not in config("redis")
    assert "frontend stats" in config("redis")


def test_a_site_without_certificate_has_a_placeholder_and_stays_plain(config: Callable[[str], str], run: Run) -> None:
    front = section(config("http"), "frontend www")
    [(path, text)] = named_files(run, "http").items()
    assert f"bind *:443 ssl crt-list {path} alpn h2,http/1.1\n" in front
    assert text == "/etc/haproxy/placeholder.pem\n"
    assert "redirect" not in front
    assert "Strict-Transport-Security" not in front
    assert placeholders(run, "http") == ["/etc/haproxy/placeholder.pem"]
    assert placeholders(run, "with_placeholder") == []
    assert "openssl" in run.one("http", "preflight")["packages"]


def test_own_certificates_are_secret_files_and_visitors_are_sent_to_them(
    config: Callable[[str], str], run: Run
) -> None:
    files = configured(run, "https")["files"]
    pems = [file for file in files if file["path"].endswith(".pem")]
    assert [(file["secret_content"], file["mode"], file["first"]) for file in pems] == [
        (one.certificate + one.private_key, "0600", True) for one in (SITE, SHOP)
    ]
    texts = {Path(path).suffix: (path, text) for path, text in named_files(run, "https").items()}
    assert texts[".list"][1] == "".join(f"{file['path']}\n" for file in pems)
    assert texts[".names"][1] == "www.example.org\nshop.example.org\n"
    front = section(config("https"), "frontend www")
    assert f"bind *:8443 ssl crt-list {texts['.list'][0]} alpn h2,http/1.1\n" in front
    assert f"acl has_certificate req.hdr(host),host_only,lower -m str -f {texts['.names'][0]}\n" in front
    assert "redirect prefix https://%[req.hdr(host),host_only]:8443 code 308 if has_certificate !stays_plain\n" in front
    assert "max-age=15768000 if { ssl_fc } { var(txn.has_certificate) -m bool }\n" in front
    assert "BEGIN PRIVATE KEY" not in config("https")
    assert "ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets\n" in section(config("https"), "global")
    assert placeholders(run, "https") == []
    assert "openssl" not in run.one("https", "preflight")["packages"]


@pytest.mark.parametrize("name", ["https", "https_off", "redis"])
def test_nothing_stays_of_certificates_that_are_no_longer_there(name: str, run: Run) -> None:
    owned = [path for path in configured(run, name)["owns"] if path not in LOG_FILES]
    assert owned == [
        "/etc/haproxy/certificates/*",
        "/etc/haproxy/authorities/*",
        "/etc/webcluster-acme/*",
        "/etc/haproxy/acme/*",
        "/var/lib/webcluster-acme/*/account.*",
        "/var/lib/webcluster-acme/*/certs/*/*",
        "/etc/tmpfiles.d/webcluster-acme.conf",
    ]
    assert bool(named_files(run, name)) == (name == "https")


FAILED_ACME = {
    **GOOD["acme_beside_own"],
    "haproxy_acme_obtain": True,
    "test_replies": {
        "command": {"rc": 1, "stdout": '{"changed": [], "problems": ["Certificate shop was not got.", "Nor blog."]}'}
    },
}
BROKEN_ACME = {**FAILED_ACME, "test_replies": {"command": {"rc": 1, "msg": "The command ended with 1."}}}


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    cases = {name: case(variables) for name, variables in {"failed": FAILED_ACME, "broken": BROKEN_ACME}.items()}
    return play_role("haproxy", cases, tmp_path_factory.mktemp("failed"))


def test_what_an_authority_does_not_give_is_told_after_everything_is_configured(failed: Run, run: Run) -> None:
    assert failed.refusal("failed") == "Certificate shop was not got. Nor blog."
    assert failed.refusal("broken") == "The command ended with 1."
    modules = [call.module for call in failed.calls if call.host == "failed"]
    assert modules.index("command") > max(at for at, module in enumerate(modules) if module == "configured_service")
    # Where the playbook does it, the role does not.
    assert run.of("acme_beside_own", "command") == []


def test_certificates_of_an_authority_need_no_list_of_ours_and_no_reload(
    config: Callable[[str], str], run: Run
) -> None:
    front = section(config("acme"), "frontend www")
    assert " crt-list /etc/haproxy/acme/certificates.list alpn h2,http/1.1\n" in front
    answer = f'lf-string "%[path,field(4,/)].{_acme.thumbprint(ACCOUNT)}" if is_challenge is_challenge_of_ours\n'
    assert answer in front
    assert front.index(answer) < front.index("redirect")
    assert "has_certificate req.hdr(host),host_only,lower -m str -f /etc/haproxy/acme/trusted.names\n" in front
    names = [text for path, text in named_files(run, "acme").items() if path.endswith(".acme")]
    assert names == ["shop.example\nwww.shop.example\n"]
    assert not [path for path in configured(run, "acme")["owns"] if "acme" in path]
    assert {"ca-certificates", "dehydrated", "openssl"} <= set(run.one("acme", "preflight")["packages"])
    # Without redirect its challenges are answered all the same.
    assert "is_challenge_of_ours" in config("acme_beside_own")
    assert "has_certificate" not in config("acme_beside_own")
    assert "acme" not in section(config("acme_without_https"), "frontend www")


def test_the_account_is_for_root_only_and_its_program_is_told_all(run: Run) -> None:
    files = {file["path"]: file for file in configured(run, "acme", "webcluster-acme.timer")["files"]}
    [key] = [file for path, file in files.items() if path.endswith("/account.pem")]
    assert (key["secret_content"], key["mode"]) == (ACCOUNT, "0600")
    assert [path for path, file in files.items() if "PRIVATE" in file.get("content", "")] == []
    settings = json.loads(files["/etc/webcluster-acme/settings.json"]["content"])
    assert settings["certificates"] == {"shop": ["shop.example", "www.shop.example"]}
    assert settings["authorities"] == ""
    # Its service may write there.
    assert settings["account_key"] == key["path"] == f"{settings['store']}/account.pem"
    service = files["/etc/systemd/system/webcluster-acme.service"]["content"]
    assert Path(settings["store"]).parent in map(Path, section_words(service, "ReadWritePaths"))
    assert "/acme-certificates.py /etc/webcluster-acme/settings.json\n" in service
    shell = files["/etc/webcluster-acme/dehydrated"]["content"]
    assert 'CA="https://acme-v02.api.letsencrypt.org/directory"\n' in shell
    assert "CURL_OPTS" not in shell
    other = {file["path"]: file for file in configured(run, "acme_beside_own", "webcluster-acme.timer")["files"]}
    assert other["/etc/webcluster-acme/authorities.pem"]["content"] == SHOP.certificate
    assert (
        'CURL_OPTS="--cacert /etc/webcluster-acme/authorities.pem"\n'
        in other["/etc/webcluster-acme/dehydrated"]["content"]
    )
    # Another authority begins anew.
    assert json.loads(other["/etc/webcluster-acme/settings.json"]["content"])["store"] != settings["store"]


@pytest.mark.parametrize("unit", ["service", "timer"])
def test_systemd_takes_the_units_of_the_program(unit: str, run: Run, tmp_path: Path) -> None:
    need("systemd-analyze")
    files = configured(run, "acme", "webcluster-acme.timer")["files"]
    texts = {Path(file["path"]).name: file["content"] for file in files if "/systemd/" in file["path"]}
    for name, text in texts.items():
        (tmp_path / name).write_text(text.replace(PROGRAM, "/usr/bin/true"), encoding="utf-8")
    asked = check(f"systemd-analyze verify {tmp_path}/webcluster-acme.{unit}", "", tmp_path)
    assert (asked.returncode, [line for line in asked.stderr.splitlines() if "webcluster" in line]) == (0, [])


@pytest.mark.parametrize(
    ("name", "stopped"), [("https_after_acme", True), ("https", False), ("redis", False), ("acme", False)]
)
def test_nobody_asks_an_authority_where_nothing_is_wanted_any_more(name: str, stopped: bool, run: Run) -> None:
    told = run.of(name, "systemd_service")
    wanted = {"name": "webcluster-acme.timer", "enabled": False, "state": "stopped"}
    assert told == ([wanted] if stopped else [])


LOG_FILES = {
    "/etc/systemd/system/haproxy.service.d/requests-log.conf",
    "/etc/tmpfiles.d/webcluster-haproxy.conf",
}
ROTATION = {"/etc/systemd/system/logrotate.timer.d/webcluster-haproxy.conf", "/etc/logrotate.d/webcluster-haproxy"}


@pytest.mark.parametrize(("name", "in_file"), [("http", True), ("both", True), ("journal", False), ("redis", False)])
def test_requests_are_logged_in_a_file_that_the_host_keeps_small(
    name: str, in_file: bool, run: Run, config: Callable[[str], str]
) -> None:
    told = configured(run, name)
    assert {file["path"] for file in told["files"]} & LOG_FILES == (LOG_FILES if in_file else set())
    assert set(told["owns"]) >= LOG_FILES
    rotated = [each for each in run.of(name, "configured_service") if each["name"] == "logrotate.timer"]
    assert [{file["path"] for file in each["files"]} for each in rotated] == [ROTATION] * in_file
    assert ("log stdout len 4096 format raw local0 info\n" in config(name)) == in_file
    level = "notice" if in_file else "info"
    assert f"log /dev/log len 4096 local0 {level}\n" in section(config(name), "global")
    assert ("logrotate" in run.one(name, "preflight")["packages"]) == in_file
    [unit] = [file for file in told["files"] if file["path"].endswith("/requests-log.conf")] or [None]
    if unit:
        assert unit["at_start"]
        assert "StandardOutput=append:/var/log/haproxy/requests.log\nStandardError=journal\n" in unit["content"]


def test_logrotate_takes_its_file(run: Run, tmp_path: Path) -> None:
    need("logrotate")
    text = run.file("http", "logrotate.d/webcluster-haproxy").content.replace("/var/log/haproxy", str(tmp_path))
    # It wants the user to be there, and the file to be root's.
    (tmp_path / "requests.log").write_text("line\n" * 10, encoding="utf-8")
    asked = check(
        f"logrotate --debug --force --state {tmp_path}/state %s", text.replace("su root adm\n", "\n"), tmp_path
    )
    assert "error" not in asked.stderr
    assert f"copying {tmp_path}/requests.log to {tmp_path}/requests.log.1" in asked.stderr


def test_redirect_and_hsts_are_settings(config: Callable[[str], str]) -> None:
    assert "redirect" not in section(config("https_without_redirect"), "frontend www")
    assert "Strict-Transport-Security" not in config("https_without_redirect") + config("https_without_hsts")
    assert "redirect" in section(config("https_without_hsts"), "frontend www")
    assert " ssl" not in config("https_off") + config("redis")


def test_http_profile_never_cuts_the_sessions_of_a_failed_server(config: Callable[[str], str]) -> None:
    assert not re.search(r"^ *default-server .*shutdown-sessions", section(config("both"), "backend web"), re.MULTILINE)
    assert "on-marked-down shutdown-sessions" in section(config("both"), "listen redis_write")


def test_what_a_client_says_about_itself_is_replaced(config: Callable[[str], str]) -> None:
    front = [line.strip() for line in section(config("http"), "frontend www").splitlines()]
    assert {
        "http-request set-header X-Forwarded-For %[src]",
        "http-request set-header X-Forwarded-Proto http",
        "http-request del-header X-Request-ID",
        "http-request del-header Forwarded",
        "http-request del-header Proxy",
    } <= set(front)


def test_only_methods_that_change_nothing_are_repeated(config: Callable[[str], str]) -> None:
    assert "http-request disable-l7-retry unless METH_GET" in section(config("http"), "backend web")


def test_b7_a_request_that_was_too_slow_is_never_repeated(config: Callable[[str], str]) -> None:
    [repeated] = re.findall(r"^ *retry-on (.*)$", config("http"), re.MULTILINE)
    # And not 504, which is what Apache says when the time is over.
    assert set(repeated.split()) == {"conn-failure", "empty-response", "502", "503"}


def seconds(config: str, setting: str) -> list[int]:
    return [int(found) for found in re.findall(rf"^ *{setting} (\d+)s$", config, re.MULTILINE)]


@pytest.mark.parametrize(("name", "limit"), [("http", 30), ("limits", 120)])
def test_b7_haproxy_waits_longer_than_a_request_may_take(name: str, limit: int, config: Callable[[str], str]) -> None:
    [patience] = seconds(config(name), "timeout server")
    assert limit < patience <= limit + 10
    # A reload ends no request before its time.
    [last] = seconds(config(name), "hard-stop-after")
    assert last >= patience


def test_b6_a_body_is_bounded_before_a_web_server_hears_of_it(config: Callable[[str], str]) -> None:
    front = [line.strip() for line in section(config("limits"), "frontend www").splitlines()]
    rules = [line for line in front if re.match(r"(acl|http-request) .*(body|content-length)", line)]
    assert rules == [
        "acl has_body req.hdr_val(content-length) gt 0",
        "acl has_body req.hdr(transfer-encoding) -m found",
        "http-request track-sc2 src,ipmask(32,64) table client_bodies if has_body",
        "http-request deny status 429 hdr Retry-After 10 if has_body { sc_conn_cur(2) gt 7 }",
        f"http-request deny status 413 if {{ req.hdr_val(content-length) gt {3000 * 1024 * 1024} }}",
        "http-request wait-for-body time 10s if has_body",
    ]


def test_b6_one_client_cannot_take_all_connections(config: Callable[[str], str]) -> None:
    front = section(config("limits"), "frontend www")
    assert "tcp-request connection track-sc1 src,ipmask(32,64) table client_connections\n" in front
    assert "tcp-request connection reject if { sc_conn_cur(1) gt 500 }\n" in front
    [http] = seconds(section(config("limits"), "defaults http"), "timeout http-request")
    assert http <= 5


def test_p4_only_named_proxies_are_believed(config: Callable[[str], str]) -> None:
    assert "expect-proxy" not in config("http")
    assert "send-proxy" not in config("http")
    front = section(config("proxies"), "frontend www")
    assert "tcp-request connection expect-proxy layer4 if is_proxy\n" in front
    assert "acl is_proxy src fd00::/64\n" in front
    # The client is counted, not who speaks for it.
    assert "tcp-request connection track-sc1 src,ipmask(32,64) table client_connections unless is_proxy\n" in front
    assert "tcp-request session track-sc1 src,ipmask(32,64) table client_connections\n" in front


def test_p4_servers_may_be_told_the_client_before_the_first_byte(config: Callable[[str], str]) -> None:
    servers = re.findall(r"(?m)^ +server web\d .*$", section(config("proxies"), "backend web"))
    assert [server.endswith(" send-proxy-v2") for server in servers] == [True, True]
    told = re.findall(r"(?m)^ +default-server .*$", config("proxies_to_services"))
    assert [line for line in told if "send-proxy-v2" not in line] == []


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
    # A primary is found in its place, by one good answer, before it is given up as a replica.
    assert "default-server check port 9200 inter 500ms fastinter 250ms fall 2 rise 1" in write
    # Whoever comes in between waits all of this, however soon the old one is found closed; a move's 3 s have room for 1 s of it.
    assert "tcp-request inspect-delay 1s" in write
    assert "content accept if { nbsrv(mysql_write) eq 1 }" in write
    read = section(config("mysql_roles"), "backend mysql_read")
    assert "http-check send meth GET uri /replica\n" in read
    # Who reads on a connection that it keeps is not cut off by a move.
    assert "http-check disable-on-404\n" in read
    assert config("mysql_roles").count("disable-on-404") == 1
    assert "default-server check port 9300 inter 1s fastinter 700ms fall 2 rise 2" in read
    fallback = section(config("mysql_roles"), "backend mysql_read_primary")
    assert "http-check send meth GET uri /primary\n" in fallback
    assert "inter 500ms fastinter 250ms fall 2 rise 1" in fallback
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


def test_numbers_may_be_given_as_text(run: Run) -> None:
    assert run.refusal("texts") == ""
    assert run.file("texts", "haproxy.cfg").content == run.file("numbers", "haproxy.cfg").content


def test_a_site_is_told_by_its_most_exact_name_and_has_its_own_limits(run: Run) -> None:
    front, back = (
        section(run.file("sites", "haproxy.cfg").content, header) for header in ("frontend www", "backend web")
    )
    told = re.findall(r"set-var\(txn.site\) str\((\w+)\) if \{ req.hdr\(host\),field\(1,:\),lower (.*) \}", front)
    # The last one that fits counts.
    assert told == [
        ("shop", "-m end .shop.example"),
        ("blog", "-m str blog.shop.example"),
        ("shop", "-m str shop.example"),
    ]
    limits = re.findall(r"deny status 413 if .* gt (\d+) \} (.*)$", front, re.MULTILINE)
    assert limits == [
        (str(15 * 1024 * 1024), "{ var(txn.site) -m str shop }"),
        (str(8 * 1024 * 1024), "{ var(txn.site) -m str blog }"),
        (str(8 * 1024 * 1024), "!{ var(txn.site) -m found }"),
    ]
    assert re.findall(r"set-timeout server (\w+) if (.*)$", back, re.MULTILINE) == [
        ("95s", "{ var(txn.site) -m str shop }"),
        ("35s", "{ var(txn.site) -m str blog }"),
    ]
    assert "hard-stop-after 95s" in run.file("sites", "haproxy.cfg").content


def test_a_site_of_every_name_gets_what_no_other_site_has(run: Run) -> None:
    front = section(run.file("any_site", "haproxy.cfg").content, "frontend www")
    assert "http-request set-var(txn.site) str(shop) unless { var(txn.site) -m found }" in front
