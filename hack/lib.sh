# What the scripts in this folder share. Sourced by bash; works with bash 3.

HEARTBEAT=
# A line every half minute while something long runs that may say nothing; on a terminal cargo shows its own progress.
heartbeat() { # what
  [ ! -t 2 ] || return 0
  local begun=$SECONDS
  (
    trap 'kill $! 2>/dev/null; exit' TERM
    while :; do
      sleep 30 & wait $!
      printf '    still at %s, %s s\n' "$1" "$((SECONDS - begun))" >&2
    done
  ) &
  HEARTBEAT=$!
}
stop_heartbeat() {
  [ -z "$HEARTBEAT" ] || kill "$HEARTBEAT" 2>/dev/null
  [ -z "$HEARTBEAT" ] || wait "$HEARTBEAT" 2>/dev/null
  HEARTBEAT=
}

# Says everything that is missing at once, with what to install; fails if anything is.
need_build_tools() {
  local missing=0
  need() { # command what-to-install
    command -v "$1" >/dev/null && return
    printf 'missing: %s. Install %s\n' "$1" "$2" >&2
    missing=1
  }
  need cargo "Rust 1.89 or newer: https://rustup.rs"
  need cargo-fmt "rustfmt: rustup component add rustfmt"
  need cargo-clippy "clippy: rustup component add clippy"
  need cc "a C compiler: apt-get install build-essential, xcode-select --install"
  need make "make: apt-get install make, xcode-select --install"
  return "$missing"
}

# Go is needed only where the control plane has to be built.
need_go() {
  command -v go >/dev/null && return
  hack/control-plane/get --controller-manager --check && return
  printf '%s\n' "missing: go. Install Go 1.26 or newer (https://go.dev/dl/) to build etcd and kube-apiserver once," \
    "or set KUBEBUILDER_ASSETS to a folder that has etcd, kube-apiserver, kubectl and kube-controller-manager" >&2
  return 1
}

# Where cargo puts what it builds, however that is configured.
target_directory() {
  cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'
}

# What the tests said that failed, of what cargo printed: once more where a long log ends.
failures() { # file...
  awk '/^failures:$/ { on = 1; next } /^test result:/ { on = 0 } on && ++lines <= 200' "$@"
}

# The version of the workspace.
version() {
  sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml
}
