#!/usr/bin/env bash
# Print the path of a Python that can run the controller: tools/find-python.sh newest|oldest|3.NN
# Looks at the path and at the versions that pyenv installed; a shim that refuses to run does not count.
set -euo pipefail

wanted=${1:-newest}
minors=(14 13 12 11)
case $wanted in
  newest) ;;
  oldest) minors=(11 12 13 14) ;;
  3.*) minors=("${wanted#3.}") ;;
  *) echo "find-python.sh: expected newest, oldest or a version such as 3.11, not '$wanted'" >&2; exit 2 ;;
esac

shopt -s nullglob
for minor in "${minors[@]}"; do
  for python in "$(command -v "python3.$minor" || true)" "$(command -v python3 || true)" \
    "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3."$minor".*/bin/python3; do
    if [ -n "$python" ] && "$python" -c "import ensurepip, ssl, sys, venv; sys.exit(sys.version_info[:2] != (3, $minor))" 2>/dev/null; then
      # The interpreter behind a shim, so that it also runs where pyenv's settings differ.
      "$python" -c 'import sys; print(sys.executable)'
      exit 0
    fi
  done
done
echo "find-python.sh: no Python ${wanted/#newest/3.11 or newer} with venv here; install python3-venv (Debian 12, Ubuntu 24.04 or newer)." >&2
exit 1
