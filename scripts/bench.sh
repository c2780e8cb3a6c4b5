#!/usr/bin/env bash
# bench [network]: measures on a lab of its own, named "bench", in one run: offloading against the same work made directly on the
# provider, or with "network" the pod network against a bare tunnel and the plain link.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
what="${1:-main}"
[ "$what" != network ] || ensure_debian_packages iperf3 wireguard-tools wireguard-go
ensure_node_modules
lab="$HEADCUT_ROOT/scripts/lab"
trap '"$lab" down --name bench' EXIT
"$lab" up --name bench >&2
HEADCUT_LAB="$HEADCUT_ROOT/.lab-bench" node "$HEADCUT_ROOT/scripts/bench/$what.ts"
