#!/usr/bin/env bash
# Run ansible-test sanity on a copy of the checkout: tools/sanity.sh [argument of ansible-test sanity...]
# VENV names the virtual environment whose ansible-test and Python are used (default .venv).
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/common.sh
. tools/common.sh
use_venv

python=$VENV/bin/python
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')

# ansible-test looks at files known to git, below a path that ends in ansible_collections/NAMESPACE/NAME.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
copy=$(copy_collection "$work")
git -C "$copy" init --quiet
git -C "$copy" add --all

# ansible-test makes its virtual environments without pip and then downloads get-pip.py of a fixed version, from a host
# that not every machine can reach, unless the file stands here already. Python's own ensurepip does the same work.
pip_version=$("$python" - <<'PYTHON'
import importlib.util
import pathlib
import re

spec = importlib.util.find_spec("ansible_test")
source = pathlib.Path(spec.submodule_search_locations[0], "_internal", "python_requirements.py").read_text()
print(re.search(r"\bpip='([0-9.]+)'", source).group(1))
PYTHON
)
cache=$HOME/.ansible/test/cache/get_pip_${pip_version//./_}.py
if [ ! -e "$cache" ]; then
  mkdir -p "${cache%/*}"
  cat >"$cache.$$" <<'PYTHON'
# Stand-in of siteops.webcluster for get-pip.py, see tools/sanity.sh there.
import subprocess
import sys

wanted = [word for word in sys.argv[1:] if word.startswith(("pip==", "setuptools==", "wheel=="))]
subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"], stdout=subprocess.DEVNULL)
subprocess.check_call([sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", *wanted])
PYTHON
  mv "$cache.$$" "$cache"
fi

# pip's own words say nothing about this collection.
noise='^(Installing requirements|Using cached pip|Looking in |Collecting |Processing |Installing collected|Successfully installed|WARNING: Location |  Downloading |  *[^ -~]|$)'
cd "$copy"
ansible-test sanity --local --python "$version" --color no "$@" 2>&1 | sed --unbuffered -E "/$noise/d"
