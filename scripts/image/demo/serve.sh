#!/bin/sh
# Answers HTTP on $PORT with the pod's and the cluster's name until it is told to stop.
export POD_NAME="${POD_NAME:-$(hostname)}" CLUSTER_NAME="${CLUSTER_NAME:-unknown}" PORT="${PORT:-8080}"

# busybox nc listens with a backlog as long as the number of its -l options; with two, bursts wait for a second SYN.
backlog=-$(printf 'l%.0s' $(seq 128))

# A shell stays in front, because a process 1 without handlers ignores SIGTERM.
trap 'echo "$POD_NAME in cluster $CLUSTER_NAME stops"; kill "$server"; exit 0' TERM INT
exec 3>&1 # the answering processes' standard output is the connection; they log to 3
nc "$backlog" -p "$PORT" -e /bin/answer &
server=$!
echo "$POD_NAME in cluster $CLUSTER_NAME listens on port $PORT"
wait "$server"
