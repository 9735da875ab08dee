# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How replication_status logs in: at the server that it judges, and by the same options at its primary."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  <<: &login
    login_host:
      description:
        - Host to connect to over TCP.
        - Without it MySQL and MariaDB are asked over their unix socket, Redis and Valkey on V(127.0.0.1).
      type: str
    login_port:
      description: Port to connect to, V(3306) for O(engine=mysql) and V(6379) for O(engine=redis) by default.
      type: int
    login_unix_socket:
      description: Unix socket to connect to.
      type: path
    login_user:
      description: Account to log in with.
      type: str
    login_password:
      description: Password of the account. It goes nowhere but into the connection.
      type: str
    connect_timeout:
      description: Seconds to wait for the connection.
      type: int
      default: 5
    tls:
      description:
        - V(auto) uses TLS where MySQL and MariaDB offer it over TCP, and none for Redis and Valkey.
        - V(required) fails without TLS.
        - V(disabled) never uses it.
      type: str
      choices: [auto, required, disabled]
      default: auto
    ca_cert:
      description: File with the CA that signed the server's certificate.
      type: path
    client_cert:
      description: File with the certificate to show to the server.
      type: path
    client_key:
      description: File with the key of the certificate.
      type: path
    validate_certs:
      description: Whether the server's certificate must be valid.
      type: bool
      default: true
    tls_server_name:
      description: Name that the server's certificate must hold, the host by default. Only for O(engine=redis).
      type: str
  primary:
    description:
      - How to log in at the primary of the server that is judged, from the same host. The primary is asked after the replica, so that what
        only the replica has is told exactly, and it is what O(expect_primary) and O(wait_for) expect where they are not given.
      - Without it take RV(identity), RV(position) and RV(canary.token) of a result on the primary instead; no
        host needs a login for another one then.
    type: dict
    suboptions: *login
"""
