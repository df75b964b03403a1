#!/bin/sh
# alone.sh ARGUMENT... FILE: node on a test file, in network and mount namespaces of its own where it is root's: what the file names there meets
# nobody's, and what it leaves is gone with its last process. It is this very process: its id, parent and signals are node's.
case $* in
  # A step of a decision has no names; an image of a machine is made from Debian's archive; and what asks which devices there are reads
  # /sys/class/net, which goes on to show those of the machine.
  */test/unit/* | */test/e2e/real-machine.test.ts | */test/integration/lab/* | */test/integration/interruption/interruption.test.ts) exec node "$@" ;;
esac
exec unshare --mount --net --propagation private -- sh -c '
  mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns && ip link set lo up && exec node "$@"' sh "$@"
