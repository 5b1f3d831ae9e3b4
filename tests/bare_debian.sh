#!/usr/bin/env bash
# Prove the two commands in bare Debian 12 trees: nothing but git, bash and certificates.
# Needs root, debootstrap, 12 GB of disk and a network; takes about twenty minutes. The words
# after the script's name go to `./run test` instead of a small choice of tests.
set -euo pipefail

[ "$(id -u)" = 0 ] || { echo "bare_debian.sh: must run as root" >&2; exit 2; }
repository=$(cd -- "$(dirname -- "$0")/.." && pwd)
place=$(mktemp -d)
checkout="/srv/a check out"
choice=("$@")
[ $# -gt 0 ] || choice=(tests/database/test_cluster.py tests/database/test_pgsphere.py)
trap 'rm -rf --one-file-system "$place"' EXIT

# Run a command in a tree as a user. Its mounts and processes end with it.
inside() {
  local tree=$1 user=$2
  shift 2
  # shellcheck disable=SC2016 # the words are for the inner shell
  unshare --mount --pid --fork --kill-child bash -ceu '
    tree=$1 user=$2
    shift 2
    mount -t proc proc "$tree/proc"
    mount --rbind /dev "$tree/dev"
    mount -t tmpfs -o mode=1777 shm "$tree/dev/shm"
    home=/root
    [ "$user" = root ] || home=/home/$user
    exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME="$home" \
      PIP_CERT=/etc/ssl/certs/ca-certificates.crt SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
      chroot --userspec="$user" "$tree" /bin/bash -c "$*"
  ' inner "$tree" "$user" "$@"
}

new_tree() {
  local tree=$place/$1 owner=$2
  cp -a "$place/base" "$tree"
  if [ "$owner" != root ]; then
    chroot "$tree" /usr/sbin/useradd --create-home --shell /bin/bash "$owner"
  fi
  git -c safe.directory="$repository" clone --quiet --no-hardlinks "$repository" "$tree$checkout"
  chroot "$tree" /bin/chown -R "$owner:" "$checkout"
}

expect() {
  local wanted=$1 got=$2 what=$3
  if [ "$wanted" = "$got" ]; then
    printf '*** %s: ok\n' "$what"
  else
    printf '*** %s: exit code %s, wanted %s\n' "$what" "$got" "$wanted"
    failures=$((failures + 1))
  fi
}

attempt() {
  local wanted=$1 what=$2 code=0
  shift 2
  inside "$@" || code=$?
  expect "$wanted" "$code" "$what"
}

failures=0
tests="cd '$checkout' && ./run test $(printf '%q ' "${choice[@]}")"
life="cd '$checkout' && ./run skyledger db start && ./run skyledger db check &&
  ./run skyledger db stop && ./run skyledger db destroy --yes"

echo "*** making a bare Debian 12"
debootstrap --variant=minbase --include=git,ca-certificates bookworm "$place/base" >"$place/log" ||
  { tail "$place/log" >&2; exit 1; }
cp /etc/resolv.conf /etc/hosts "$place/base/etc/"
# This machine's Debian sources (the security updates are among them) and trusted certificates.
cp /etc/apt/sources.list.d/debian.sources "$place/base/etc/apt/sources.list.d/"
: >"$place/base/etc/apt/sources.list"
cp "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" \
  "$place/base/etc/ssl/certs/ca-certificates.crt"

new_tree root root
attempt 0 "root: set-up" "$place/root" root "cd '$checkout' && ./run setup"
attempt 0 "root: no server was made" "$place/root" root '[ -z "$(pg_lsclusters -h)" ]'
attempt 0 "root: no network afterwards" "$place/root" root "unshare --net bash -c \"$life\""
attempt 0 "root: demo without network" "$place/root" root \
  "cd '$checkout' && unshare --net ./run demo && ./run skyledger db stop"
attempt 0 "root: tests" "$place/root" root "$tests"
rm -rf --one-file-system "$place/root"

new_tree sudoer ann
inside "$place/sudoer" root "apt-get -qq update && apt-get -qq install -y sudo >/dev/null 2>&1 &&
  echo 'ann ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/ann"
attempt 0 "user with sudo: life of a database" "$place/sudoer" ann "$life"
attempt 0 "user with sudo: demo" "$place/sudoer" ann \
  "cd '$checkout' && ./run demo && ./run skyledger db stop"
attempt 0 "user with sudo: tests" "$place/sudoer" ann "$tests"
rm -rf --one-file-system "$place/sudoer"

new_tree user bob
attempt 3 "user without sudo: packages missing" "$place/user" bob "cd '$checkout' && ./run setup"
inside "$place/user" root "cd '$checkout' && ./run setup && rm -rf .venv"
# Another PostgreSQL on port 5432, as Debian makes it.
occupied="pg_createcluster 15 main --start >/dev/null && pg_lsclusters && cd ~bob &&
  HOME=\$PWD exec setpriv --reuid=bob --regid=bob --init-groups bash -c"
attempt 0 "user without sudo, packages there, port 5432 taken" "$place/user" root \
  "$occupied $(printf '%q' "$life && $tests")"

[ $failures = 0 ] || { printf '*** %s failures\n' "$failures"; exit 1; }
echo "*** all of it works"
