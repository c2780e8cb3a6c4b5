#!/usr/bin/env bash
# bench: measures offloading on a lab of its own, named "bench", against the same work made directly on the provider, in one run.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
ensure_node_modules
lab="$HEADCUT_ROOT/scripts/lab"
trap '"$lab" down --name bench' EXIT
"$lab" up --name bench >&2
HEADCUT_LAB="$HEADCUT_ROOT/.lab-bench" node "$HEADCUT_ROOT/scripts/bench/main.ts"
