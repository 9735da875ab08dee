#!/usr/bin/env bash
# Give the checkout its collection path, so that Ansible finds its roles and plugins by their full names.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/common.sh
. tools/common.sh
link_collection
