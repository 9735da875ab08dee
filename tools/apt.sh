#!/usr/bin/env bash
# Install Debian packages on this machine: tools/apt.sh [apt-get's options] PACKAGE...
# One at a time, and it waits for others: steps that run side by side would find apt's locks taken.
set -euo pipefail

# Closed (9>&-) for what is started below: a service among it would hold the lock for good.
exec 9>/run/lock/webcluster-apt
flock 9
# Who holds the lists, such as the machine's own daily update, is waited for by asking again: apt does not wait there.
for pause in 5 20 60 0; do
  if apt-get update -qq 9>&-; then break; fi
  if [ "$pause" -eq 0 ]; then exit 1; fi
  sleep "$pause"
done
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" >/dev/null 9>&-
