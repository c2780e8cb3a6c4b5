#!/bin/sh
# One HTTP request on standard input, its answer on standard output, a line about it on 3 (see serve).
cr=$(printf '\r')
read -r -t 10 method path protocol || exit 0
while read -r -t 10 name value && [ "$name" != "$cr" ] && [ -n "$name" ]; do
  case $name in [Hh]ost:) host=${value%"$cr"} ;; esac
done
line="hello from pod $POD_NAME in cluster $CLUSTER_NAME"
printf 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n' $((${#line} + 1))
[ "$method" = HEAD ] || printf '%s\n' "$line"
echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) $method ${host:-}$path" >&3
