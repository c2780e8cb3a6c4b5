# Shared by the scripts beside it: finds what a script needs, and installs what is missing, saying so. Source it; it defines functions only.
# shellcheck shell=bash

HEADCUT_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
HEADCUT_CACHE="${HEADCUT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/headcut}"
export HEADCUT_ROOT HEADCUT_CACHE

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# need_root WHAT
need_root() { [ "$(id -u)" = 0 ] || die "$1 needs root (network namespaces, mounts, cgroups); run it as root"; }

# ensure_debian_packages PACKAGE…: installs those that are missing.
ensure_debian_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  command -v apt-get >/dev/null || die "missing: ${missing[*]}; this machine has no apt-get, install them by hand"
  say "installing Debian packages: ${missing[*]}"
  mkdir -p "$HEADCUT_CACHE"
  (
    flock 9
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } \
      >"$HEADCUT_CACHE/apt.log" 2>&1
  ) 9>"$HEADCUT_CACHE/apt.lock" || { tail -n 20 "$HEADCUT_CACHE/apt.log" >&2; die "could not install ${missing[*]}"; }
}

# ensure_node_modules: `npm ci` when package-lock.json changed since the last one. Brings Node 24 as node_modules/.bin/node.
ensure_node_modules() {
  command -v npm >/dev/null || die "npm is missing: install Node.js 20 or newer (with npm) first"
  local marker="$HEADCUT_ROOT/node_modules/.headcut-lock" hash
  hash="$(sha256sum <"$HEADCUT_ROOT/package-lock.json")"
  if [ "$(cat "$marker" 2>/dev/null)" != "$hash" ]; then
    say "installing npm packages (npm ci)"
    mkdir -p "$HEADCUT_CACHE"
    (cd "$HEADCUT_ROOT" && npm ci --no-audit --no-fund >"$HEADCUT_CACHE/npm.log" 2>&1) ||
      { tail -n 20 "$HEADCUT_CACHE/npm.log" >&2; die "npm ci failed"; }
    printf '%s' "$hash" >"$marker"
  fi
  PATH="$HEADCUT_ROOT/node_modules/.bin:$PATH"
  export PATH
}

# find_go_tools: sets HEADCUT_TOOLS to the folder of the pinned Kubernetes components, whether they are there or not.
find_go_tools() {
  command -v go >/dev/null || die "Go is missing: install Go 1.26 or newer first"
  local tools="$HEADCUT_ROOT/scripts/tools" key
  key="$({ cat "$tools"/go.{mod,sum} "$tools"/*/go.{mod,sum} "$tools/build"; go env GOVERSION GOARCH; } | sha256sum | cut -c1-16)"
  HEADCUT_TOOLS="$HEADCUT_CACHE/tools-$key/bin"
  export HEADCUT_TOOLS
}

# ensure_go_tools: compiles the pinned Kubernetes components once; sets HEADCUT_TOOLS to the folder that holds them.
ensure_go_tools() {
  find_go_tools
  local folder="${HEADCUT_TOOLS%/bin}"
  [ -e "$folder/complete" ] && return 0
  ensure_debian_packages gcc libc6-dev # kine needs cgo
  say "compiling the Kubernetes test tools into $folder (5 to 15 minutes, once)"
  mkdir -p "$folder/bin"
  (flock 9; [ -e "$folder/complete" ] || "$HEADCUT_ROOT/scripts/tools/build" "$folder") 9>"$folder/lock" ||
    die "compiling the test tools failed; see $folder/build.log"
}
