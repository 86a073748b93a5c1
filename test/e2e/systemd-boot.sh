#!/usr/bin/env bash
# A machine of its own with systemd as process 1: the files of this one under an overlay in memory, and namespaces for all else. Needs root.
# systemd-boot.sh SCRATCH FILES: SCRATCH is an empty directory, FILES goes over the root. Prints the process id of systemd, by which nsenter gets in. Ends with
# its standard input, and leaves nothing.
set -euo pipefail

# What would change this machine, or needs a device that is not there.
masked=(systemd-sysctl systemd-modules-load modprobe@ systemd-update-utmp systemd-tmpfiles-setup-dev)

# In namespaces already: the file systems, then systemd.
inside() {
  local scratch=$1 files=$2 name
  mount --make-rprivate /
  mount -t tmpfs -o size=1g tmpfs "$scratch"
  mkdir "$scratch"/{upper,work,root}
  mount -t overlay -o "lowerdir=/,upperdir=$scratch/upper,workdir=$scratch/work" overlay "$scratch/root"
  cd "$scratch/root"
  # Not the units and rules of this machine.
  rm -rf etc/systemd/system/* etc/polkit-1/rules.d/*
  cp -a "$files/." .
  for name in "${masked[@]}"; do ln -s /dev/null "etc/systemd/system/$name.service"; done
  mount -t proc proc proc
  mount -t sysfs -o ro sysfs sys
  mount -t cgroup2 cgroup2 sys/fs/cgroup
  mount -t tmpfs -o mode=755 tmpfs dev
  for name in null zero full random urandom tty; do
    mknod -m 666 "dev/$name" c "0x$(stat -c %t "/dev/$name")" "0x$(stat -c %T "/dev/$name")"
  done
  mkdir dev/pts dev/shm
  mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
  ln -s pts/ptmx dev/ptmx
  mount -t tmpfs -o mode=755 tmpfs run
  mount -t tmpfs tmpfs tmp
  mkdir tmp/old
  pivot_root . tmp/old
  cd /
  umount -l /tmp/old
  ip link set lo up
  exec env -i container=test PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --unit=multi-user.target --log-target=journal
}

# Beside this machine's own control groups.
outside() {
  local scratch=$1 files=$2 group first
  mount --make-rprivate /
  mkdir "$scratch"/{groups,machine}
  mount -t cgroup2 cgroup2 "$scratch/groups"
  group=$scratch/groups/starling-$$
  mkdir "$group"
  (
    echo "$BASHPID" >"$group/cgroup.procs"
    exec unshare --mount --kill-child --fork --pid --net --cgroup --uts --ipc bash "$0" inside "$scratch/machine" "$files" </dev/null >/dev/null
  ) &
  until first=$(pgrep -P $!); do
    kill -0 $!
    sleep 0.05
  done
  echo "$first"
  cat >/dev/null
  kill -KILL $!
  wait $! 2>/dev/null || true
  while grep -q 'populated 1' "$group/cgroup.events"; do sleep 0.05; done
  find "$group" -depth -type d -exec rmdir {} +
}

case $1 in
  inside | outside) "$@" ;;
  *) exec unshare --mount bash "$0" outside "$@" ;;
esac
