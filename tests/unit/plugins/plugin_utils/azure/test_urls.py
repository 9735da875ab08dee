# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ipaddress

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure import urls
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.arm import same_host
from requests import Request
from urllib3.util import parse_url

HOME = "https://management.azure.com"


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("https://management.azure.com", HOME),
        ("HTTPS://Management.AZURE.com/vms", f"{HOME}/vms"),
        ("https://management.azure.com:443/vms?page=2", f"{HOME}/vms?page=2"),
        ("https://management.azure.com./vms", f"{HOME}/vms"),
        ("https://management.azure.com:8443/", f"{HOME}:8443/"),
        ("https://management.azure.com/a b?c=d\\e{f}", f"{HOME}/a%20b?c=d%5Ce%7Bf%7D"),
        ("https://management.azure.com//evil.example", f"{HOME}//evil.example"),
        ("https://management.azure.com/?x=https://a:b@evil.example/", f"{HOME}/?x=https://a:b@evil.example/"),
        ("http://[0:0:0:0:0:0:0:1]:99/x", "http://[::1]:99/x"),
        # Python 3.13 writes it with a dotted end, 3.11 does not.
        ("http://[::FFFF:127.0.0.1]/", f"http://[{ipaddress.ip_address('::ffff:127.0.0.1')}]/"),
        ("https://management.azure.com?$skiptoken=%24a+b==", f"{HOME}?$skiptoken=%24a+b=="),
    ],
)
def test_d2_what_is_sent_is_what_was_checked(url: str, read: str) -> None:
    found = urls.read(url)
    assert str(found) == read
    assert found is not None
    # Both libraries below the request find the same host, and read it again alike.
    for theirs in (parse_url(read).host, parse_url(str(Request("GET", read).prepare().url)).host):
        assert (theirs or "").strip("[]") == found.host
    assert urls.read(read) == found


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/vms",
        "?page=2",
        "//management.azure.com/vms",
        "\\\\management.azure.com/vms",
        "https:/management.azure.com/vms",
        "https:management.azure.com/vms",
        "https://",
        "https:///vms",
        "ftp://management.azure.com/vms",
        "file:///etc/passwd",
        "https://user@management.azure.com/vms",
        "https://management.azure.com@evil.example/vms",
        "https://management.azure.com:pass@evil.example/vms",
        "https://evil.example\\@management.azure.com/vms",
        "https://evil.example\\.management.azure.com/vms",
        "https://evil.example#@management.azure.com/vms",
        "https://evil.example?@management.azure.com/vms#x",
        "https://management.azure.com#@evil.example",
        "https://management.azure.com%2eevil.example/vms",
        "https://management.azure.com%00.evil.example/vms",
        "https://management%2Eazure%2Ecom/vms",
        "https://management\u3002azure\u3002com/vms",
        "https://\uff4danagement.azure.com/vms",
        "https://manageme\u00adnt.azure.com/vms",
        "https://\u017fevil.management.azure.com/vms",
        "https://management.azure.com:443:444/vms",
        "https://management.azure.com:port/vms",
        "https://management.azure.com:/vms",
        "https://management.azure.com:0/vms",
        "https://management.azure.com:70000/vms",
        "https://management.azure.com:\uff14\uff14\uff13/vms",
        "https://[management.azure.com/vms",
        "https://[::1/vms",
        "https://[::1%25eth0]/vms",
        "https://[:::1]/vms",
        "https://management..azure.com/vms",
        "https://management.azure.com../vms",
        " https://management.azure.com/vms",
        "https://management.azure.com/vms\n",
        "https://management.azure.com\t/vms",
        "https://management.azure.com/v\rms",
        "https://evil.example \t@management.azure.com/vms",
        "ht\ntps://management.azure.com/vms",
    ],
)
def test_d2_spellings_that_libraries_read_in_different_ways_are_no_url(url: str) -> None:
    assert urls.read(url) is None


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        ("management.azure.com", "westeurope.management.azure.com", True),
        ("management.azure.com", "evilmanagement.azure.com", False),
        ("management.chinacloudapi.cn", "chinaeast2.management.chinacloudapi.cn", True),
        ("127.0.0.1", "evil.127.0.0.1", False),
        ("127.0.0.1", "127.1", False),
        ("127.0.0.1", "2130706433", False),
        ("localhost", "evil.localhost", False),
        ("arm.example.org", "evil.arm.example.org", False),
        ("arm.example.org", "arm.example.org", True),
    ],
)
def test_d2_only_azure_itself_has_regions(ours: str, theirs: str, same: bool) -> None:
    assert same_host(ours, theirs) is same


def test_d2_a_password_in_a_url_is_not_shown() -> None:
    assert urls.shown("https://user:hunter22@host/\x1b[2J") == "https://user:***@host/?[2J"
