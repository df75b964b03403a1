/** How an init system of a machine keeps the agent running. */
import { NODE_PATHS } from '../../../contracts/agent/index.ts';

export const SERVICE = 'plumbline-agent';
/** What both start: a symbolic link to the installed version, so that an upgrade touches neither. */
export const START = `${NODE_PATHS.install}/current/start`;
export const AGENT_LOG = '/var/log/plumbline/agent.log';

/**
 * Containers and their shims are no children to clean up: KillMode=process leaves them alone when the agent restarts,
 * Delegate keeps systemd out of the cgroups below. Source: systemd.kill(5), systemd.resource-control(5).
 *
 * When the machine goes down the agent is stopped before the container runtime, and ends the pods first: for 30 seconds
 * at most, to which comes its own end.
 *
 * The kernel ends pods before the agent where memory runs out (the score is the kubelet's), and a dump of its memory,
 * which holds Secrets, is never written. It is root on the machine by what it does (mounts, cgroups, routes, the packet
 * filter), so these take only what it never needs. Left out is all that gives it a mount namespace (ProtectSystem,
 * ProtectHome, PrivateTmp, ProtectKernelTunables, ...): its mounts must show in containers; and RestrictSUIDSGID: the
 * folder of an emptyDir with an fsGroup has the setgid bit. Source: systemd.exec(5).
 */
export const SYSTEMD_UNIT = `[Unit]
Description=Plumbline node agent
After=network-online.target containerd.service
Wants=network-online.target containerd.service
StartLimitIntervalSec=0

[Service]
ExecStart=${START}
Restart=always
RestartSec=1
KillMode=process
TimeoutStopSec=45
Delegate=yes
LimitNOFILE=65536
LimitCORE=0
TasksMax=infinity
OOMScoreAdjust=-999
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
CapabilityBoundingSet=~CAP_SYS_TIME CAP_WAKE_ALARM CAP_SYS_MODULE CAP_SYS_BOOT CAP_SYS_RAWIO CAP_SYSLOG CAP_MAC_ADMIN CAP_MAC_OVERRIDE

[Install]
WantedBy=multi-user.target
`;

/**
 * For machines without systemd: needs sh and a few tools of every base system. The loop restarts the agent one second
 * after it ended.
 */
export const INIT_SCRIPT = `#!/bin/sh
### BEGIN INIT INFO
# Provides:          ${SERVICE}
# Required-Start:    $remote_fs $network
# Required-Stop:     $remote_fs $network
# Should-Start:      containerd
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: Plumbline node agent
### END INIT INFO
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
PIDFILE=${NODE_PATHS.run}/supervisor.pid
LOG=${AGENT_LOG}

running() {
  pid=$(cat "$PIDFILE" 2>/dev/null) && [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null &&
    tr '\\0' ' ' < "/proc/$pid/cmdline" 2>/dev/null | grep -q '${SERVICE} supervise'
}

supervise() {
  echo $$ > "$PIDFILE"
  # As in the systemd unit: no dump of memory that holds Secrets; pods go before the agent, where the machine lets a process say so.
  ulimit -c 0 2>/dev/null || :
  { echo -999 > /proc/$$/oom_score_adj; } 2>/dev/null || :
  child=
  trap 'trap "" TERM; [ -n "$child" ] && kill -TERM "$child" 2>/dev/null && wait "$child"; rm -f "$PIDFILE"; exit 0' TERM INT
  trap '' HUP
  while :; do
    [ "$(wc -c < "$LOG" 2>/dev/null || echo 0)" -gt 10485760 ] && mv -f "$LOG" "$LOG.1"
    ${START} >> "$LOG" 2>&1 < /dev/null &
    child=$!
    wait "$child"
    child=
    sleep 1 &
    wait $!
  done
}

start() {
  running && return 0
  mkdir -p "$(dirname "$PIDFILE")" "$(dirname "$LOG")"
  if command -v setsid >/dev/null 2>&1; then setsid "$0" supervise < /dev/null > /dev/null 2>&1 &
  else "$0" supervise < /dev/null > /dev/null 2>&1 &
  fi
}

stop() {
  running || return 0
  kill -TERM "$pid"
  i=0
  while kill -0 "$pid" 2>/dev/null && [ $i -lt 200 ]; do sleep 0.1 2>/dev/null || sleep 1; i=$((i + 1)); done
  ! kill -0 "$pid" 2>/dev/null
}

case "$1" in
  start) start ;;
  stop) stop ;;
  restart|force-reload) stop && start ;;
  status) if running; then echo '${SERVICE} is running'; else echo '${SERVICE} is not running'; exit 3; fi ;;
  supervise) supervise ;;
  *) echo "usage: $0 start|stop|restart|status" >&2; exit 2 ;;
esac
`;
