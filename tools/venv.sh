#!/usr/bin/env bash
# Make or refresh a virtual environment: tools/venv.sh DIR REQUIREMENTS [PYTHON]
# PYTHON is a command, or newest, oldest or 3.NN for tools/find-python.sh (default: newest).
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/common.sh
. tools/common.sh

dir=$1 requirements=$2 python=${3:-newest}
link_collection
stamp=$dir/.made-from-$(basename "$requirements" .txt)-$(cat requirements*.txt meta/ee-requirements.txt | sha256sum | cut -c1-12)
# What the developers' requirements gave serves an operator too.
if [ -e "$stamp" ] || [ -e "${stamp/requirements-/requirements-dev-}" ]; then exit 0; fi
case $python in
  newest | oldest | 3.*)
    if ! tools/find-python.sh "$python" >/dev/null 2>&1 && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
      tools/apt.sh python3 python3-venv
    fi
    python=$(tools/find-python.sh "$python")
    ;;
esac
echo "venv: $dir with $("$python" --version) and $requirements (once; some minutes)"
[ -x "$dir/bin/python" ] || "$python" -m venv "$dir"
"$dir/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
touch "$stamp"
