# Functions of the scripts that install SDKs and applications from lock files. `. ../install-projects.sh` defines them. Each
# project is a folder in the current directory.
# shellcheck shell=bash

# Installs the Debian package $1 if the command in the other arguments fails. Exits if the command still fails afterwards.
need() {
  local package="$1"
  shift
  "$@" >/dev/null 2>&1 && return
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null
  "$@" >/dev/null || {
    printf '%s: %s is installed, and still this fails: %s\n' "$0" "$package" "$*" >&2
    exit 1
  }
}

# Runs the command in the arguments from $3 on, unless it has already run with the same content of the files $2. The file $1
# stores the checksum of that content.
once() {
  local stamp="$1" files="$2" sum
  shift 2
  # shellcheck disable=SC2086 # $files is a list of names
  sum="$(sha256sum $files | sha256sum)"
  [ "$(cat "$stamp" 2>/dev/null)" = "$sum" ] && return
  printf '%s (%ss)\n' "$stamp" "$SECONDS"
  "$@"
  printf '%s\n' "$sum" >"$stamp"
}

node_project() {
  npm ci --prefix "$1" --ignore-scripts --no-audit --no-fund --loglevel=error
}

python_project() {
  python3 -m venv --clear ".venv-$1"
  ".venv-$1/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
    --requirement "$1/requirements.txt"
}
