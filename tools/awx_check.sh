#!/usr/bin/env bash
# Prove the AWX data of awx/config with ansible-runner on hosts of the lab; needs root.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/common.sh
. tools/common.sh
use_venv
link_collection
PYTHONPATH=.ansible/collections python -m ansible_collections.siteops.webcluster.tests.awx.check
