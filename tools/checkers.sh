#!/usr/bin/env bash
# Install the programs that the tests show the roles' files to (tests/checkers.py) or run; no service is started or enabled.
# Where that is not possible it says so: those tests are skipped then, but in CI they fail.
set -euo pipefail

# One at a time: what keeps services from starting is one file for the whole machine.
if [ "$(id -u)" -eq 0 ]; then
  exec 8>/run/lock/webcluster-checkers
  flock 8
fi
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
policy=/usr/sbin/policy-rc.d
packages=() units=()

want() { # want COMMAND PACKAGE [UNIT]: COMMAND may be a pattern, and a path from a folder of commands
  local folder
  local -a folders
  IFS=: read -ra folders <<<"$PATH"
  for folder in "${folders[@]}"; do
    if compgen -G "$folder/$1" >/dev/null; then return; fi
  done
  packages+=("$2")
  if [ -n "${3:-}" ]; then units+=("$3"); fi
}

finish() {
  rm -f "$policy"
  if [ -e "$policy.kept" ]; then mv "$policy.kept" "$policy"; fi
}

want apache2ctl apache2 apache2
want dehydrated dehydrated
want exportfs nfs-kernel-server nfs-server
want haproxy haproxy haproxy
want keepalived keepalived keepalived
want logrotate logrotate
want mariadb-backup mariadb-backup
want mariadbd mariadb-server-core
want msmtp msmtp
want nft nftables
want pebble pebble
want 'php-fpm[0-9]*' php-fpm 'php*-fpm'
want 'php[0-9].[0-9]' php-cli
want '../lib/php/*/pdo_mysql.so' php-mysql
want '../lib/php/*/redis.so' php-redis
want rclone rclone
want redis-server redis-server redis-server
want rpcbind rpcbind rpcbind
want restic restic
want socat socat
want systemd-analyze systemd
if [ ${#packages[@]} -eq 0 ]; then exit 0; fi

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "checkers.sh: ${packages[*]} not installed; the tests that need them are skipped. Run it as root on Debian or Ubuntu." >&2
  exit 0
fi
# Only a machine of CI may lose a package for them, such as MySQL's server, which shuts MariaDB's out.
options=()
if [ -z "${CI:-}" ]; then options+=(--no-remove); fi

if [ -e "$policy" ]; then mv "$policy" "$policy.kept"; fi
trap finish EXIT
printf '#!/bin/sh\nexit 101\n' >"$policy"
chmod 0755 "$policy"
echo "checkers.sh: installing ${packages[*]} (once)"
if ! "${0%/*}/apt.sh" "${options[@]}" "${packages[@]}" 8>&-; then
  echo "checkers.sh: ${packages[*]} cannot be installed here; the tests that need them are skipped, in CI they fail." >&2
  exit 0
fi
# Nothing of it is to start at the next boot either.
for unit in "${units[@]}"; do
  for file in /usr/lib/systemd/system/$unit.{service,socket}; do
    if [ -e "$file" ]; then systemctl --quiet disable "${file##*/}"; fi
  done
done
