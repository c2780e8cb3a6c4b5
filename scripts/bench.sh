#!/usr/bin/env bash
# bench [network|streams|failover|soak|hostile] [FLAG…]: measures on a lab of its own, named "bench", in one run; on the lab that HEADCUT_LAB
# names where it is set. Without a word: offloading against the same work made directly on the provider. network: the pod network
# against a bare tunnel and the plain link. streams: exec and logs against the same pod asked directly. failover: what faults cost.
# soak: faults at random, and what must hold whatever happens. hostile: memory of an agent while one of its peers attacks, without a lab.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
what=main
case "${1:-}" in network | streams | failover | soak) what="$1" && shift ;; esac
if [ "${1:-}" = hostile ]; then
  shift
  ensure_node_modules
  ensure_go_tools test
  exec node "$HEADCUT_ROOT/test/hostile/sixteen-peers.ts" "$@"
fi
[ "$what" != network ] || ensure_debian_packages iperf3 wireguard-tools
ensure_node_modules
if [ -z "${HEADCUT_LAB:-}" ]; then
  lab="$HEADCUT_ROOT/scripts/lab"
  trap '"$lab" down --name bench' EXIT
  "$lab" up --name bench >&2
  export HEADCUT_LAB="$HEADCUT_ROOT/.lab-bench"
fi
node "$HEADCUT_ROOT/scripts/bench/$what.ts" "$@"
