#!/usr/bin/python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: site_preview
short_description: Ask a release of a site for a page before anybody is served it
version_added: 0.3.0
description:
  - Asks the site's own PHP-FPM pool, as the web server would, for a page of a release that lies beside the live one.
  - The path leads to a file of the public folder, or to its front controller. A C(.htaccess) is not read; the front controller gets
    what it usually hands on.
author:
  - siteops contributors (@siteops)
attributes:
  check_mode:
    description: The page is asked for as always. A release that is not there yet is no error then.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
options:
  name:
    description: Name of the site, for the sentences.
    type: str
    required: true
  root:
    description: Public folder of the release.
    type: path
    required: true
  socket:
    description: Socket of the site's PHP-FPM pool.
    type: path
    required: true
  front_controller:
    description: File of the public folder that gets every path which is no file; empty for none.
    type: str
    default: ""
  host:
    description: Host name to ask by; empty for C(localhost).
    type: str
    default: ""
  path:
    description: Path to ask for.
    type: str
    default: /
  status:
    description: Status code of a release that works.
    type: int
    default: 200
  text:
    description: Text that its answer holds.
    type: str
    default: ""
  timeout:
    description: Limit for the request, in seconds.
    type: float
    default: 30
"""

EXAMPLES = r"""
- name: Ask the next release whether it works
  siteops.webcluster.site_preview:
    name: shop
    root: /srv/webcluster/shop/releases/5b0c11d7a2f3/public
    socket: /run/php/php8.4-fpm-site-shop.sock
    front_controller: index.php
    host: shop.example
    path: /up
"""

RETURN = r"""
status:
  description: Status code of the answer.
  returned: success
  type: int
  sample: 200
"""

import posixpath
import typing as t
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.siteops.webcluster.plugins.module_utils._fastcgi import FastCgiError, Page, ask

INDEX = ("index.php", "index.html")


def file_for(root: Path, path: str, front_controller: str) -> Path | None:
    """The file that answers for a path: itself, a folder's index, or the front controller."""
    wanted = Path(root, posixpath.normpath(f"/{unquote(urlsplit(path).path)}").lstrip("/"))
    for found in (wanted, *(wanted / name for name in INDEX)):
        if found.is_file():
            return found
    front = root / front_controller
    return front if front_controller and front.is_file() else None


def params(root: Path, script: Path, host: str, path: str) -> dict[str, str]:
    """What the web server tells PHP of a request."""
    name = f"/{script.relative_to(root)}"
    return {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "SERVER_SOFTWARE": "Apache",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": host,
        "SERVER_ADDR": "127.0.0.1",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "REQUEST_METHOD": "GET",
        "REQUEST_URI": path,
        "QUERY_STRING": urlsplit(path).query,
        "DOCUMENT_ROOT": str(root),
        "SCRIPT_NAME": name,
        "SCRIPT_FILENAME": str(script),
        "REDIRECT_STATUS": "200",
        "HTTP_HOST": host,
        "HTTP_ACCEPT": "*/*",
        "HTTP_USER_AGENT": "siteops.webcluster site_preview",
    }


def page_of(options: dict[str, t.Any]) -> Page:
    root = Path(options["root"])
    script = file_for(root, options["path"], options["front_controller"])
    if script is None:
        return Page(404, {}, b"")
    if script.suffix != ".php":
        return Page(200, {}, script.read_bytes())
    host = options["host"] or "localhost"
    return ask(options["socket"], params(root, script, host, options["path"]), options["timeout"])


def problem(page: Page, options: dict[str, t.Any]) -> str:
    if page.status != options["status"]:
        place = page.headers.get("location", "")[:200]
        sent = f", which sends to {place}" if place else ""
        return f"answers {page.status}{sent}, expected {options['status']}"
    if options["text"].encode() not in page.body:
        return f"answers without the text {options['text']!r}"
    return ""


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "root": {"type": "path", "required": True},
            "socket": {"type": "path", "required": True},
            "front_controller": {"type": "str", "default": ""},
            "host": {"type": "str", "default": ""},
            "path": {"type": "str", "default": "/"},
            "status": {"type": "int", "default": 200},
            "text": {"type": "str", "default": ""},
            "timeout": {"type": "float", "default": 30},
        },
        supports_check_mode=True,
    )
    options = module.params
    if module.check_mode and not Path(options["root"]).is_dir():
        module.exit_json(changed=False, status=0)
    try:
        page = page_of(options)
        wrong = problem(page, options)
    except FastCgiError as error:
        wrong = f"has no answer: {error}"
    if wrong:
        module.fail_json(
            msg=f"Site {options['name']}: {options['path']} of the new release {wrong}: mend the release, or its health_path,"
            " health_status and health_text."
        )
    module.exit_json(changed=False, status=page.status)


if __name__ == "__main__":
    main()
