# shellcheck shell=sh
# What all recipes share. A recipe sets `app`, defines `recognise` and, if its application has a maintenance file, `maintenance`,
# and ends with `recipe "$@"`.
set -eu
# One byte is one letter: what the site holds may be in any encoding.
LC_ALL=C
export LC_ALL
: "${LIFEBOAT:=/usr/bin/lifeboat}"

# Tells a maintenance file of ours from the owner's.
mark=lifeboat-quiesce
here=$(cd -P -- "$(dirname -- "$0")" && pwd -P)
# Line ends to YAML beside the control characters: NEL, LS, PS.
nel=$(printf '\302\205')
ls=$(printf '\342\200\250')
ps=$(printf '\342\200\251')

say() { printf '%s: %s\n' "$app" "$*" >&2; }

not_this() { exit 1; }

# The application is this one, but a setting cannot be told; the reason was said before, or is the first argument.
refuse() {
  [ -z "${1-}" ] || say "$1"
  say "   try: list its database by hand in the configuration, under databases (lifeboat config example), or databases: [] if there is none"
  exit 2
}

# A text as YAML.
quote() {
  case $1 in
    *[[:cntrl:]]* | *"$nel"* | *"$ls"* | *"$ps"*)
      say "a value with control characters cannot be written into a configuration"
      return 1
      ;;
  esac
  printf "'%s'" "$(printf '%s' "$1" | sed "s/'/''/g")"
}

# What stands in a file: FORMAT FILE PATH, and what it is if it is not there.
setting() {
  if [ $# -gt 3 ]; then
    "$LIFEBOAT" parse "$1" "$2" --get "$3" --default "$4"
  else
    "$LIFEBOAT" parse "$1" "$2" --get "$3"
  fi
}

# Takes `host`, `host:port`, `[address]:port`, `address`, `host:/socket`, `:/socket`, `/socket` and `unix:/socket` apart.
split_host() {
  host=$1 port='' socket=''
  case $1 in
    /*) host='' socket=$1 ;;
    *:/*) socket=/${1#*:/} host='' ;;
    \[*\]:*) host=${1%%\]*} host=${host#\[} port=${1##*\]:} ;;
    \[*\]) host=${1#\[} host=${host%\]} ;;
    *:*:*) ;;
    *:*) host=${1%%:*} port=${1##*:} ;;
  esac
}

# `host`, `port` and `socket` as the configuration has them.
mysql_address() {
  if [ -n "$socket" ]; then
    printf 'localhost:%s' "$socket"
    return
  fi
  case $host in
    # PHP takes it for "by socket", whatever the port.
    '' | localhost) printf 'localhost' ;;
    *:*) printf '[%s]:%s' "$host" "${port:-3306}" ;;
    *) printf '%s:%s' "$host" "${port:-3306}" ;;
  esac
}

postgresql_address() {
  case $host in
    '' | /*) printf '%s:%s' "${host:-/run/postgresql}" "${port:-5432}" ;;
    *:*) printf '[%s]:%s' "$host" "${port:-5432}" ;;
    *) printf '%s:%s' "$host" "${port:-5432}" ;;
  esac
}

databases='' excludes='' points=''

# TYPE NAME USER, and behind them the arguments of `lifeboat` that print the password; none if it is empty. The server is in
# `host`, `port` and `socket`. The password is not copied: one that changes is followed.
database() {
  type=$1 words=''
  [ -n "$2" ] || refuse "the name of the database is empty"
  name=$(quote "$2") || refuse
  user=$(quote "$3") || refuse
  address=$(quote "$("${type}_address")") || refuse
  shift 3
  databases="$databases
  - type: $type
    name: $name
    host: $address
    user: $user"
  [ $# -gt 0 ] || return 0
  for word in "$LIFEBOAT" "$@"; do
    word=$(quote "$word") || refuse
    words="$words${words:+, }$word"
  done
  databases="$databases
    password: {command: [$words]}"
}

# A database that is a file.
sqlite() {
  path=$(quote "$1") || refuse
  databases="$databases
  - type: sqlite
    path: $path"
}

exclude() {
  for pattern in "$@"; do
    pattern=$(quote "$pattern") || refuse
    excludes="$excludes
    - $pattern"
  done
}

# What lies below the root is named from there: `/var/cache`; fails for what lies elsewhere.
below_root() {
  case $1/ in
    "$root"/*) printf '%s' "${1#"$root"}" ;;
    *) return 1 ;;
  esac
}

hook() {
  point=$1 words=''
  shift
  for word in "$@"; do
    word=$(quote "$word") || refuse
    words="$words${words:+, }$word"
  done
  points="$points
  $point:
    - command: [$words]
      timeout: 60s"
}

# The hooks that hold the site still; the arguments are handed on to `maintenance`.
quiesce_hooks() {
  hook quiesce "$here/recipe" quiesce "$root" "$@"
  hook resume "$here/recipe" resume "$root" "$@"
}

fragment() {
  hook after-commit "${here%/*}/restore/refresh" "$root"
  [ "$databases" = none ] || printf 'databases:%s\n' "${databases:- []}"
  printf 'site:\n  exclude:%s\n' "${excludes:- []}"
  printf 'hooks:%s\n' "$points"
}

# The maintenance file is made and removed as the owner of its directory: who owns the site may have put a link in the way.
as_owner() {
  directory=$1
  shift
  [ "$(id -u)" = 0 ] || return 0
  uid=$(stat -c %u -- "$directory")
  gid=$(stat -c %g -- "$directory")
  [ "$uid" != 0 ] || return 0
  if command -v setpriv >/dev/null; then
    exec setpriv --reuid "$uid" --regid "$gid" --clear-groups -- "$0" "$@"
  fi
  say "setpriv is missing, by which the site's owner would be asked to do it"
  say "   try: install util-linux"
  exit 1
}

# `directory`, `file` and `text` say which the maintenance file is, and what is in it.
hold_still() {
  verb=$1
  shift
  real=$(cd -P -- "$directory" && pwd -P) || {
    say "there is no directory $directory"
    exit 1
  }
  case $real/ in
    "$root"/*) ;;
    *)
      if [ "$(stat -c %u -- "$real")" = 0 ] && [ "$(stat -c %u -- "$root")" != 0 ]; then
        say "$directory leads to $real, which is not the site's"
        exit 1
      fi
      ;;
  esac
  as_owner "$real" "$verb" "$root" "$@"
  cd -P -- "$real"
  case $verb in
    quiesce)
      if [ -e "$file" ] || [ -L "$file" ]; then
        say "in maintenance already, and stays so"
      else
        umask 022
        # Whole from its first moment.
        printf '%s\n' "$text" >".$file.$mark"
        mv -n -- ".$file.$mark" "$file"
      fi
      ;;
    resume)
      rm -f -- ".$file.$mark"
      if [ -f "$file" ] && [ ! -L "$file" ] && grep -q "$mark" -- "$file"; then
        rm -f -- "$file"
      fi
      ;;
  esac
}

usage() {
  printf 'usage: %s recognise|quiesce|resume ROOT\n' "$0" >&2
  exit 64
}

recipe() {
  [ $# -ge 2 ] || usage
  verb=$1
  root=$(cd -P -- "$2" && pwd -P) || {
    say "there is no directory $2"
    exit 1
  }
  shift 2
  case $verb in
    recognise)
      recognise
      fragment
      ;;
    quiesce | resume)
      if ! command -v maintenance >/dev/null; then
        say "has no maintenance mode that a file switches on; stop its services instead (hooks/systemd)"
        exit 1
      fi
      maintenance "$@"
      hold_still "$verb" "$@"
      ;;
    *) usage ;;
  esac
}
