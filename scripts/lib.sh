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

# ensure_node_modules: `npm ci` when package-lock.json changed since the last one, without running what packages bring to be run then
# (none needs it: programs come as packages of their own, with a hash in the lock). Brings Node 24 as node_modules/.bin/node.
ensure_node_modules() {
  command -v npm >/dev/null || die "npm is missing: install Node.js 20 or newer (with npm) first"
  local marker="$HEADCUT_ROOT/node_modules/.headcut-lock" hash
  hash="$(sha256sum <"$HEADCUT_ROOT/package-lock.json")"
  if [ "$(cat "$marker" 2>/dev/null)" != "$hash" ]; then
    say "installing npm packages (npm ci)"
    mkdir -p "$HEADCUT_CACHE"
    (cd "$HEADCUT_ROOT" && npm ci --ignore-scripts --no-audit --no-fund >"$HEADCUT_CACHE/npm.log" 2>&1) ||
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

# ensure_go_tools lab|kwok|flannel|kube-router|test|conformance: compiles the pinned Kubernetes components (and what only such labs, or tests, need)
# once; sets HEADCUT_TOOLS to the folder that holds them.
ensure_go_tools() {
  find_go_tools
  local what="$1" folder="${HEADCUT_TOOLS%/bin}"
  [ -e "$folder/$what" ] && return 0
  ensure_debian_packages gcc libc6-dev # kine needs cgo
  say "compiling the Kubernetes tools for the $what into $folder (5 to 15 minutes, once)"
  mkdir -p "$folder/bin"
  (flock 9; [ -e "$folder/$what" ] || "$HEADCUT_ROOT/scripts/tools/build" "$folder" "$what") 9>"$folder/lock" ||
    die "compiling the test tools failed; see $folder/build.log"
}

# The k0s release that is downloaded where a lab of k0s is wanted and no k0s is at hand, and the SHA-256 of its binaries.
K0S_VERSION=v1.36.3+k0s.0
K0S_RELEASES="${K0S_RELEASES:-https://github.com/k0sproject/k0s/releases/download}"
k0s_sha256() {
  case "$1" in
    amd64) echo cb15600575b0257e23bb24a01703293e9666694b09636320ac4326fe6edde6f2 ;;
    arm64) echo 33cb07d39041d68099bc6065d3d4abd451d12a14d1caa6483798d9c69d563ad2 ;;
  esac
}

# find_k0s: sets HEADCUT_K0S to a k0s of this machine (as given, on PATH, downloaded before), or leaves it empty.
find_k0s() {
  local downloaded="$HEADCUT_CACHE/k0s-$K0S_VERSION/k0s"
  if [ -n "${HEADCUT_K0S:-}" ]; then
    [ -x "$HEADCUT_K0S" ] || die "HEADCUT_K0S is $HEADCUT_K0S, which is no program"
    HEADCUT_K0S="$(realpath "$HEADCUT_K0S")"
  elif ! HEADCUT_K0S="$(command -v k0s)"; then
    HEADCUT_K0S=
    [ ! -x "$downloaded" ] || HEADCUT_K0S="$downloaded"
  fi
  export HEADCUT_K0S
}

# has_sha256 SUM FILE
has_sha256() { [ -e "$2" ] && echo "$1  $2" | sha256sum --check --status; }

# ensure_k0s: as find_k0s, and downloads the pinned release where there is none. An interrupted download goes on where it stopped.
ensure_k0s() {
  find_k0s
  [ -z "$HEADCUT_K0S" ] || return 0
  local folder="$HEADCUT_CACHE/k0s-$K0S_VERSION" arch url sum
  case "$(uname -m)" in x86_64) arch=amd64 ;; aarch64) arch=arm64 ;; *) die "no k0s is pinned for $(uname -m); give one as HEADCUT_K0S" ;; esac
  url="$K0S_RELEASES/$K0S_VERSION/k0s-$K0S_VERSION-$arch"
  sum="${K0S_SHA256:-$(k0s_sha256 "$arch")}"
  mkdir -p "$folder"
  if ! has_sha256 "$sum" "$folder/k0s.part"; then
    command -v curl >/dev/null || ensure_debian_packages curl ca-certificates
    say "downloading $url"
    curl --fail --location --silent --show-error --retry 3 --connect-timeout 15 --continue-at - --output "$folder/k0s.part" "$url" ||
      die "k0s cannot be downloaded from $url; bring it here by other means and give it as HEADCUT_K0S=/path/to/k0s, or use --provider kubernetes"
  fi
  if ! has_sha256 "$sum" "$folder/k0s.part"; then
    rm -f "$folder/k0s.part"
    die "what came from $url is not k0s $K0S_VERSION (its SHA-256 is not $sum); nothing of it was kept"
  fi
  chmod 755 "$folder/k0s.part"
  mv "$folder/k0s.part" "$folder/k0s"
  HEADCUT_K0S="$folder/k0s"
  export HEADCUT_K0S
}

# lab_setting provider|cni ARGUMENT…: what arguments of scripts/lab say, or the lab was made with; nothing where neither says.
lab_setting() {
  local setting="$1" name=lab value='' state
  shift
  while [ $# -gt 0 ]; do
    case "$1" in
      --name) name="${2:-}" ;;
      --name=*) name="${1#*=}" ;;
      "--$setting") value="${2:-}" ;;
      "--$setting="*) value="${1#*=}" ;;
      --) break ;;
    esac
    shift
  done
  state="$HEADCUT_ROOT/.lab$([ "$name" = lab ] || echo "-$name")/lab.json"
  [ -n "$value" ] || [ ! -e "$state" ] || value="$(sed -n "s/^ *\"$setting\": \"\(.*\)\",*\$/\1/p" "$state")"
  printf '%s' "$value"
}
