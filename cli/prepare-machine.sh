#!/usr/bin/env bash
# Installs what a clean clone needs: npm packages, and Debian packages when they are missing. Sourced or run; safe to repeat.
#   prepare-machine.sh [lab|vm|browser|tests ...]   which groups of Debian packages, besides none for the npm part
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

refuse() { printf 'plumbline: %s\n' "$1" >&2; exit 2; }

command -v node >/dev/null || refuse 'Node.js 20.19 or newer is needed: install it (nodejs.org, or your distribution) and run this again'
[ "$(node -p 'const [major, minor] = process.versions.node.split(".").map(Number); major > 20 || (major === 20 && minor >= 19)')" = true ] || refuse "Node.js 20.19 or newer is needed, found $(node --version)"

declare -A groups=(
  [lab]='redis-server:redis-server containerd:containerd runc:runc nft:nftables sshd:openssh-server ssh:openssh-client ip:iproute2 docker-registry:docker-registry busybox:busybox-static conntrack:conntrack arping:iputils-arping haproxy:haproxy bird:bird2 git:git nsenter:util-linux script:bsdutils openssl:openssl /usr/lib/cni/ptp:containernetworking-plugins'
  [vm]='qemu-system-x86_64:qemu-system-x86 debootstrap:debootstrap mkfs.ext4:e2fsprogs'
  [browser]='chromium:chromium'
  [tests]='prometheus:prometheus faketime:faketime age:age pebble:pebble wrk:wrk nsupdate:bind9-dnsutils musl-gcc:musl-tools knotd:knot iptables-nft-restore:iptables ipvsadm:ipvsadm firewalld:firewalld dbus-daemon:dbus-daemon'
)

missing=()
for group in "$@"; do
  [ -n "${groups[$group]:-}" ] || refuse "no such group of packages: $group"
  for pair in ${groups[$group]}; do
    program=${pair%%:*} package=${pair#*:}
    [ -x "$program" ] || PATH="$PATH:/usr/sbin:/sbin" command -v "$program" >/dev/null || missing+=("$package")
  done
done

if [ ${#missing[@]} -gt 0 ]; then
  [ "$(uname -s)" = Linux ] || refuse "the lab needs Linux, this is $(uname -s)"
  [ "$(id -u)" = 0 ] || refuse "missing packages: ${missing[*]}; run this as root, or install them first"
  command -v apt-get >/dev/null || refuse "missing packages: ${missing[*]}; install them with this distribution's package manager"
  echo "installing Debian packages: ${missing[*]}" >&2
  # The packages' own services stay off: the lab starts private instances of what it needs.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  fi
  apt_log=$(mktemp)
  if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; } >"$apt_log" 2>&1; then
    tail -n 15 "$apt_log" >&2
    refuse "apt-get could not install ${missing[*]}; the lines above say why (all of it: $apt_log)"
  fi
  rm -f "$apt_log"
  # Nor do they run after the machine's next start.
  if command -v systemctl >/dev/null; then
    dpkg -L "${missing[@]}" | sed -nE 's#^(/usr)?/lib/systemd/system/([^/@]+\.service)$#\2#p' | sort -u | xargs -r systemctl disable --quiet >/dev/null 2>&1 || true
  fi
fi

if [ ! -d node_modules ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  echo 'installing npm packages' >&2
  npm ci --include=dev --no-audit --no-fund --loglevel=error >&2
fi
node build.mjs
