#!/usr/bin/env bash
# bench:streams: compares streams of an offloaded pod with those of the same pod asked directly, on a lab of its own, named "bench";
# on the lab that HEADCUT_LAB names where it is set.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
ensure_node_modules
if [ -z "${HEADCUT_LAB:-}" ]; then
  lab="$HEADCUT_ROOT/scripts/lab"
  trap '"$lab" down --name bench' EXIT
  "$lab" up --name bench --clusters 2 >&2
  export HEADCUT_LAB="$HEADCUT_ROOT/.lab-bench"
fi
node "$HEADCUT_ROOT/scripts/bench/streams.ts"
