# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """How to log in to Azure, for what runs on the controller."""

    DOCUMENTATION = r"""
options:
  cloud:
    description:
      - V(public), V(china) or V(us_government); sets O(endpoint), O(token_scope), O(authority) and O(api_versions) together.
      - Also E(AZURE_CLOUD_ENVIRONMENT). An empty variable of the environment counts as none, here and at every other option.
    type: str
  endpoint:
    description: URL of Azure Resource Manager; plain http is taken for loopback addresses only.
    type: str
  token_scope:
    description: Scope that the token is asked for.
    type: str
  authority:
    description: URL or host that gives the token; also E(AZURE_AUTHORITY_HOST).
    type: str
  api_versions:
    description:
      - Versions of Azure's interfaces by service, such as V(compute) and V(network).
      - When the cloud does not have a version, the newest one that its error offers is used for the rest of the run.
    type: dict
    default: {}
  auth:
    description:
      - V(auto), V(service_principal), V(workload_identity), V(managed_identity), V(cli), V(environment) or V(access_token), as the
        inventory plugin P(siteops.webcluster.azure_subnet#inventory) has them; also E(ANSIBLE_AZURE_AUTH).
      - Without it or E(ANSIBLE_AZURE_AUTH) it is V(auto), which takes what is set, else the login of C(az).
    type: str
  tenant_id:
    description: Id of the tenant (directory); also E(AZURE_TENANT_ID).
    type: str
  client_id:
    description: Id of the application or of the managed identity; also E(AZURE_CLIENT_ID).
    type: str
  client_secret:
    description: Secret of the application; also E(AZURE_CLIENT_SECRET).
    type: str
  certificate_path:
    description: File with the certificate of the application and its private key; also E(AZURE_CLIENT_CERTIFICATE_PATH).
    type: str
  certificate_password:
    description: Password of the private key; also E(AZURE_CLIENT_CERTIFICATE_PASSWORD).
    type: str
  oidc_token:
    description: OIDC token (JWT) that the application trusts; also E(AZURE_FEDERATED_TOKEN).
    type: str
  oidc_token_file:
    description: File that holds such a token; also E(AZURE_FEDERATED_TOKEN_FILE).
    type: str
  access_token:
    description: A ready access token for O(token_scope); also E(AZURE_ACCESS_TOKEN).
    type: str
  timeout:
    description: Seconds to wait for a connection, and for the next part of an answer.
    type: float
    default: 60
"""
