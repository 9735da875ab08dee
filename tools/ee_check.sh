#!/usr/bin/env bash
# Render the execution environment, put its dependencies into a bare Debian 13, and use the project there; needs root.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/common.sh
. tools/common.sh
use_venv
work=$(mktemp -d /var/tmp/webcluster-ee.XXXXXX)
root=$work/root
port_file=$work/port
finish() {
  python tests/loopback_arm.py stop --port-file "$port_file"
  rm -rf --one-file-system "$work"
}
trap finish EXIT

inside() { # run a command in the bare system; its mounts end with it
  # shellcheck disable=SC2016 # expanded by the inner shell
  unshare --mount --propagation private sh -ec '
    root=$1; shift
    mount --rbind /dev "$root/dev"
    mount -t proc proc "$root/proc"
    exec chroot "$root" env -u PIP_FIND_LINKS HOME=/root LC_ALL=C.UTF-8 PATH=/opt/ee/bin:/usr/sbin:/usr/bin:/sbin:/bin \
      ANSIBLE_COLLECTIONS_PATH=/usr/share/ansible/collections "$@"' \
    inside "$root" "$@"
}

echo "== render"
# By this name, also where no podman is installed.
ansible-builder create --file execution-environment.yml --context "$work/context" --output-filename Containerfile >/dev/null
grep '^ARG EE_BASE_IMAGE=' "$work/context/Containerfile"
wanted=$(sed -n 's/^ARG ANSIBLE_INSTALL_REFS="\(.*\)"/\1/p' "$work/context/Containerfile")
mapfile -t system < <(bindep --list_all newline --file "$work/context/_build/bindep.txt")
echo "Containerfile: $(wc -l <"$work/context/Containerfile") lines; installs $wanted, $(wc -l <"$work/context/_build/requirements.txt") Python and ${#system[@]} system packages"

echo "== a bare system with these dependencies"
if ! command -v mmdebstrap >/dev/null; then
  tools/apt.sh mmdebstrap
fi
mmdebstrap --quiet --mode=root --variant=minbase --aptopt='APT::Install-Recommends "false"' --dpkgopt=force-unsafe-io \
  --include="python3,python3-venv,ca-certificates,$(IFS=,; echo "${system[*]}")" trixie "$root"
# The machine's name servers and certificates serve the bare system too.
cp --dereference /etc/resolv.conf "$root/etc/resolv.conf"
cp --dereference /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
cp -r "$work/context" "$root/context"
inside python3 -m venv /opt/ee
# shellcheck disable=SC2086 # a list of requirements
inside pip install --quiet --disable-pip-version-check $wanted -r /context/_build/requirements.txt
inside pip list --format freeze --disable-pip-version-check | grep -iE '^(ansible|azure-(identity|mgmt))'

echo "== the collection, and what it asks for"
copy=$(copy_collection "$work/source")
ansible-galaxy collection build --output-path "$root/dist" "$copy" >/dev/null
inside sh -c 'ansible-galaxy collection install --offline --collections-path /usr/share/ansible/collections /dist/*.tar.gz' | tail -n 1
inside pip install --quiet --disable-pip-version-check bindep pyyaml packaging
inside python /context/_build/scripts/introspect.py introspect --write-pip=/found-pip.txt --write-bindep=/found-bindep.txt >/dev/null
for kind in requirements bindep; do
  found=$root/found-${kind/requirements/pip}.txt
  missing=$(sed 's/ *#.*//; /^$/d' "$found" | grep -vxFf "$work/context/_build/$kind.txt" || true)
  if [ -n "$missing" ]; then
    echo "ee-check: the collection asks for what execution-environment.yml does not bring: $missing" >&2
    exit 1
  fi
done
echo "introspection: nothing is missing"

echo "== use"
project=/project
mkdir "$root$project"
cp -r "$copy/." "$root$project/"
inside sh -c "cd $project && ansible-playbook -i inventory/lab --syntax-check site.yml"
plugins=0
for kind in module filter inventory role; do
  # Listing warns about a collection inside of ansible-core itself.
  names=$(inside ansible-doc --type "$kind" --list --json siteops.webcluster 2>/dev/null | python -c 'import json, sys; print(*json.load(sys.stdin))')
  for name in $names; do
    inside ansible-doc --type "$kind" "$name" >/dev/null
    plugins=$((plugins + 1))
  done
done
echo "ansible-doc: $plugins plugins and roles"
python tests/loopback_arm.py start --port-file "$port_file"
cat >>"$root$project/inventory/azure/azure_subnet.yml" <<YAML
endpoint: http://127.0.0.1:$(cat "$port_file")
access_token: loopback-token
YAML
hosts=$(inside sh -c "cd $project && ansible-inventory -i inventory/azure --list" | python -c 'import json, sys; print(len(json.load(sys.stdin)["_meta"]["hostvars"]))')
[ "$hosts" = 8 ] || { echo "ee-check: azure_subnet gave $hosts hosts, expected 8" >&2; exit 1; }
echo "ansible-inventory: $hosts hosts from the loopback stand-in for Azure"
echo "ee-check: rendered, $(inside sh -c 'ls -d /opt/ee/lib/python3*/site-packages/*.dist-info' | wc -l) Python packages, syntax, $plugins documents, $hosts hosts"
