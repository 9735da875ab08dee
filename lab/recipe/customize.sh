#!/usr/bin/env bash
# Turn a minimal root filesystem into a lab host: sshd, an operator with sudo, a clean boot, a warm package cache.
set -euo pipefail
root=$1
chroot "$root" useradd --create-home --shell /bin/bash ops
echo 'ops ALL=(ALL) NOPASSWD: ALL' > "$root/etc/sudoers.d/ops"
chmod 0440 "$root/etc/sudoers.d/ops"
# Each host gets its own key from outside; a key in the image would be the same on all.
rm -f "$root"/etc/ssh/ssh_host_*
cat > "$root/etc/ssh/sshd_config.d/lab.conf" <<'CONF'
HostKey /etc/ssh/ssh_host_ed25519_key
AuthorizedKeysFile /etc/ssh/lab_authorized_keys
PasswordAuthentication no
UseDNS no
CONF
# Units that need a kernel of their own; without them the boot ends in state "running".
chroot "$root" systemctl mask systemd-modules-load.service systemd-udevd.service systemd-udev-trigger.service \
  systemd-udevd-kernel.socket systemd-udevd-control.socket systemd-firstboot.service systemd-logind.service getty.target console-getty.service \
  sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-fs-fuse-connections.mount \
  dev-hugepages.mount dev-mqueue.mount proc-sys-fs-binfmt_misc.automount proc-sys-fs-binfmt_misc.mount \
  apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer
chroot "$root" systemctl enable ssh.service
# Download, not install: the roles install for real, only without waiting for the mirror.
rm -f "$root/etc/apt/apt.conf.d/docker-clean"
# shellcheck disable=SC2086 # a list of packages
chroot "$root" apt-get -o APT::Install-Recommends=false -y -q --download-only install $PACKAGES
mkdir -p "$root/var/lib/apt/periodic"
touch "$root/var/lib/apt/periodic/update-success-stamp"
: > "$root/etc/machine-id"
