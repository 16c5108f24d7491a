#!/bin/sh
# The node's part of the add-on. The manifest's scripts call it with one verb; it answers with one JSON document, in which `type`
# (success, info, warning, error) and `message` are for people. What takes long is detached, waited for a while, and looked up later.
#
# What a person writes into /etc/lifeboat/extra.yaml (limits, notify, databases, as in `lifeboat config example`) and into hooks.yaml
# (what stands below `hooks` there) stays part of the configuration, which is otherwise written anew by each Configure.
set -eu
umask 077
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
HOME=/root
LC_ALL=C
export PATH HOME LC_ALL

PLACE=/usr/local/lib/lifeboat
PROGRAM=/usr/local/bin/lifeboat
ETC=/etc/lifeboat
STATE=/var/lib/lifeboat
POINT=/opt/backup
# Where backups lie that another environment lends.
LENT=/opt/lent
JOBS=$STATE/jobs
LOG=/var/log/lifeboat.log
PIDFILE=/run/lifeboat.pid
UNIT=/etc/systemd/system/lifeboat.service
KEPT=/etc/jelastic/redeploy.conf
# The dashboard gives a button up after some 19 minutes. Whoever wants to wait for another time writes seconds into this file.
WAIT=$(cat "$ETC/wait" 2>/dev/null || echo 600)

KEYS='FIXED STORAGE SERVER EXPORT REPOSITORY KIND EVERY TIME DAYS CRON ZONE COUNT ROOT UNMOUNT PURGE'

# --- answers ------------------------------------------------------------------------------------------------------------------

# Text as the inside of a JSON string; two blanks before a line's end are a line break in the dashboard.
json_text() {
  tr -d '\000-\010\013-\037\177' | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/	/ /g' | awk 'NR > 1 { printf "  \\n" } { printf "%s", $0 }'
}

answer() {
  printf '{"result":0,"type":"%s","message":"%s"}\n' "$1" "$(printf '%s' "$2" | json_text)"
}

# Of what a program says, from where it says what is wrong: behind that beginning there is nothing but what helps.
from_error() {
  # The answer's type says already that it is an error.
  wrong=$(printf '%s\n' "$1" | sed -n '/^error:/,$p' | sed '1s/^error: *//')
  printf '%s' "${wrong:-$1}"
}

# `refused` tells it from what a job came to: nothing was begun.
refuse() {
  printf '{"result":0,"type":"error","refused":true,"message":"%s"}\n' "$(from_error "$1" | json_text)"
  exit 0
}

# --- what is remembered ---------------------------------------------------------------------------------------------------------

conf() {
  sed -n "s/^$1=//p" "$ETC/platform.conf" 2>/dev/null | tail -n 1
}

remember() {
  mkdir -p "$ETC"
  { grep -v "^$1=" "$ETC/platform.conf" 2>/dev/null || true; printf '%s=%s\n' "$1" "$2"; } >"$ETC/platform.conf.new"
  mv -f "$ETC/platform.conf.new" "$ETC/platform.conf"
}

# Every value is of a closed alphabet before it is written: they become lines of YAML.
fits() {
  case $2 in *'
'*) return 1 ;; esac
  case $1 in
    STORAGE) pattern='[a-z0-9][a-z0-9-]*' ;;
    SERVER) pattern='[A-Za-z0-9.:-]+' ;;
    EXPORT | ROOT) pattern='/[A-Za-z0-9._/-]+' ;;
    REPOSITORY) pattern='[a-z0-9][a-z0-9/-]*' ;;
    KIND) pattern='[123]' ;;
    EVERY) pattern='hourly|daily|weekly|monthly' ;;
    TIME) pattern='([01][0-9]|2[0-3]):[0-5][0-9]' ;;
    DAYS) pattern='(sun|mon|tue|wed|thu|fri|sat)(,(sun|mon|tue|wed|thu|fri|sat))*' ;;
    CRON) pattern='([0-9A-Za-z*,/-]+ +){4,5}[0-9A-Za-z*,/-]+' ;;
    ZONE) pattern='[A-Za-z][A-Za-z0-9_+/-]*' ;;
    COUNT) pattern='[1-9]|[12][0-9]|30' ;;
    UNMOUNT | PURGE) pattern='true|false' ;;
    *) return 1 ;;
  esac
  printf '%s' "$2" | grep -Eqx -e "$pattern"
}

# --- whose node this is -----------------------------------------------------------------------------------------------------------

here() {
  uname -n | cut -d . -f 1
}

env_name() {
  cut -d ' ' -f 1 "$ETC/bound" 2>/dev/null || true
}

# Stands for the node's name where another node of the layer works. No node is called so.
SPARE=-

# A copy of a node has its files too; its name is the one thing it cannot have.
is_bound() {
  [ "$(cut -d ' ' -f 2 "$ETC/bound" 2>/dev/null)" = "$(here)" ]
}

# --- the storage --------------------------------------------------------------------------------------------------------------------

mounted() {
  # Whoever asks for something below it wakes an automount.
  ls "$POINT/." >/dev/null 2>&1 || true
  awk -v point="$POINT" '$5 == point { for (i = 7; i <= NF; i++) if ($i == "-") kind = $(i + 1) } END { exit kind !~ /^nfs4?$/ }' \
    /proc/self/mountinfo
}

# An event of this node, which the manifest hears. It needs no session.
tell_platform() {
  jem api apicall '[API_DOMAIN]/1.0/environment/node/rest/sendevent' --data-urlencode "params={\"name\":\"$1\"}" >/dev/null 2>&1 || true
}

storage_here() {
  if mounted; then return 0; fi
  [ "$(conf UNMOUNT)" = true ] || return 1
  tell_platform lifeboat-mount
  patience=120
  while [ "$patience" -gt 0 ]; do
    if mounted; then return 0; fi
    sleep 1
    patience=$((patience - 1))
  done
  return 1
}

# Whether something goes on here that needs the storage.
in_use() {
  for kind in backup restore drill undo borrow adopt; do
    if at_work "$kind"; then return 0; fi
  done
  "$PROGRAM" --json runs -n 10 2>/dev/null | grep -q '"standing": "running"'
}

# Whoever ends last asks for it: a run when it has ended (`tell`), a job when its code is written (`run_job`).
storage_away() {
  if [ "$(conf UNMOUNT)" = true ] && ! in_use; then tell_platform lifeboat-unmount; fi
}

# Asked by the platform right before it unmounts: its event may come when the next run has begun.
away() {
  if in_use; then free=false; else free=true; fi
  printf '{"result":0,"type":"success","message":"","away":%s}\n' "$free"
}

# --- the agent ------------------------------------------------------------------------------------------------------------------------

is_systemd() {
  [ "$(cat /proc/1/comm 2>/dev/null)" = systemd ] && [ -d /run/systemd/system ]
}

write_unit() {
  cat >"$UNIT" <<UNIT
[Unit]
Description=Lifeboat, backups of web sites
After=network-online.target remote-fs.target
Wants=network-online.target
[Service]
Type=notify
NotifyAccess=main
RuntimeDirectory=lifeboat
RuntimeDirectoryMode=0700
ExecStart=$PROGRAM agent
ExecReload=/bin/kill -HUP \$MAINPID
TimeoutStopSec=180
KillMode=mixed
Restart=always
RestartSec=5
WatchdogSec=120
UMask=0077
[Install]
WantedBy=multi-user.target
UNIT
  chmod 644 "$UNIT"
}

agent_pid() {
  pid=$(cat "$PIDFILE" 2>/dev/null || true)
  [ -n "$pid" ] && [ "$(readlink "/proc/$pid/exe" 2>/dev/null)" = "$PROGRAM" ] && printf '%s' "$pid"
}

agent_start() {
  if is_systemd; then
    write_unit
    systemctl daemon-reload
    systemctl enable --quiet lifeboat.service
    systemctl reload-or-restart lifeboat.service
    return 0
  fi
  # Where nothing looks after services, cron begins it after a start of the node.
  if [ -d /etc/cron.d ]; then printf '@reboot root %s/node start >/dev/null\n' "$PLACE" >/etc/cron.d/lifeboat; fi
  if pid=$(agent_pid); then
    kill -HUP "$pid"
    return 0
  fi
  mkdir -p /run/lifeboat
  setsid "$PROGRAM" agent </dev/null >>"$LOG" 2>&1 &
  echo $! >"$PIDFILE"
}

agent_stop() {
  if is_systemd; then
    systemctl disable --quiet --now lifeboat.service 2>/dev/null || true
    return 0
  fi
  rm -f /etc/cron.d/lifeboat
  pid=$(agent_pid) || return 0
  kill "$pid" 2>/dev/null || true
  while [ -e "/proc/$pid" ]; do sleep 1; done
  rm -f "$PIDFILE"
}

agent_answers() {
  "$PROGRAM" --quiet status >/dev/null 2>&1
}

# --- the configuration ------------------------------------------------------------------------------------------------------------------

schedule() {
  case $(conf KIND) in
    1) conf EVERY ;;
    2) printf '{at: ["%s"], days: [%s]}\n' "$(conf TIME)" "$(conf DAYS)" ;;
    3) printf '"%s"\n' "$(conf CRON)" ;;
  esac
}

# Whose database everybody knows how to find. In both places: the configuration may be kept one level above the site.
is_wordpress() {
  [ -e "$1/wp-config.php" ] || [ -e "${1%/*}/wp-config.php" ]
}

# Behind this a person reads that they were not looked for further.
NO_DATABASES='databases: []  # none was found: name yours in extra.yaml'

# What is given is added to it.
write_yaml() {
  adopted=''
  if is_adopted; then adopted=', adopted: true'; fi
  {
    cat <<YAML
# Written by the add-on's Configure. What you add belongs into extra.yaml and hooks.yaml beside it, which become part of this file.
site: {name: $(env_name), root: $(conf ROOT)}
storage: {type: nfs, server: "$(conf SERVER)", export: $(conf EXPORT), mountpoint: $POINT, mount: present}
repository: {path: $(conf REPOSITORY), password: {file: $ETC/password}$adopted}
schedule:
  backup: $(schedule)
  check: {when: weekly, read_data: 5%}
  drill: {when: monthly, sample: 10%}
retention: {last: $(conf COUNT)}
zone: $(conf ZONE)
state: $STATE
YAML
    if [ -f "$ETC/extra.yaml" ]; then cat "$ETC/extra.yaml"; fi
    [ $# -eq 0 ] || printf '%s\n' "$@"
    cat <<YAML
hooks:
  before-run: [{command: [$PLACE/node, hook-begin], timeout: 150s}]
  always: [{command: [$PLACE/node, hook-end], timeout: 30s}]
YAML
    if [ -f "$ETC/hooks.yaml" ]; then sed 's/^/  /' "$ETC/hooks.yaml"; fi
  } >"$ETC/lifeboat.yaml.new"
}

# A line of forty letters that nobody mistakes for one another.
random_line() {
  tr -dc 'abcdefghijkmnpqrstuvwxyz23456789' </dev/urandom 2>/dev/null | head -c 40
  echo
}

new_password() {
  [ -s "$ETC/password" ] && return 0
  random_line >"$ETC/password.new"
  mv "$ETC/password.new" "$ETC/password"
}

# The other add-ons keep a repository at /data/ENVIRONMENT itself; ours would be one directory deeper.
is_adopted() {
  [ "$(conf EXPORT) $(conf REPOSITORY)" = "/data $(env_name)" ]
}

# What is at the repository's place: nothing, ours, what another add-on left, or what only somebody else's password opens.
found() {
  if [ ! -e "$POINT/$(conf REPOSITORY)/config" ]; then
    echo nothing
  elif is_adopted; then
    # With or without a password of ours: another storage's opens nothing here before it was added.
    echo theirs
  elif [ -s "$ETC/password" ]; then
    echo ours
  else
    echo foreign
  fi
}

# Done twice, it changes nothing the second time.
adopt() {
  "$PROGRAM" --quiet adopt "$POINT/$(env_name)" --root "$(conf ROOT)" --name "$(env_name)"
}

# The same, asked for by a person: Configure has done it already, unless it could not.
adopt_here() {
  storage_here || { echo "error: The backup storage cannot be reached."; return 1; }
  code=0
  if is_adopted; then
    adopt || code=$?
  elif [ -e "$POINT/config" ] || [ -e "$POINT/$(env_name)/config" ]; then
    echo "error: Another add-on backs up beside this one, into /data/$(env_name) itself; its backups stay there, and this one goes on in its own repository."
    code=1
  else
    echo "error: There are no backups of another add-on on this storage. If they are on another one, choose that with Configure."
    code=1
  fi
  return "$code"
}

config_check() {
  "$PROGRAM" -c "$ETC/lifeboat.yaml.new" config check 2>&1
}

configure() {
  is_bound || refuse "This node is a copy of one that another environment's backups belong to: install the add-on here first."
  for word in "$@"; do
    fits "${word%%=*}" "${word#*=}" || refuse "${word%%=*} is not usable."
  done
  for word in "$@"; do remember "${word%%=*}" "${word#*=}"; done
  mounted || refuse "The storage is not mounted at $POINT."
  found=$(found)
  if [ "$found" = foreign ]; then
    refuse "There are backups at $POINT/$(conf REPOSITORY), and their password is not on this node: put it into $ETC/password."
  fi
  new_password
  write_yaml
  if ! said=$(config_check); then
    # Files alone are backed up where nobody finds or names a database, as `check` says; where WordPress is, one is missing.
    if is_wordpress "$(conf ROOT)" || grep -q '^databases:' "$ETC/extra.yaml" 2>/dev/null || ! { write_yaml "$NO_DATABASES"; config_check >/dev/null; }; then
      rm -f "$ETC/lifeboat.yaml.new"
      refuse "$said"
    fi
  fi
  former=false
  if [ -e "$ETC/lifeboat.yaml" ]; then
    cp -p "$ETC/lifeboat.yaml" "$ETC/lifeboat.yaml.before"
    former=true
  fi
  mv -f "$ETC/lifeboat.yaml.new" "$ETC/lifeboat.yaml"
  if [ "$(conf CHANGED)" = true ]; then set_aside; fi
  said=$(open_storage "$found" 2>&1) || {
    if [ "$(conf CHANGED)" = true ]; then put_back; fi
    if [ "$former" = true ]; then cp -p "$ETC/lifeboat.yaml.before" "$ETC/lifeboat.yaml"; fi
    refuse "$said"
  }
  if [ "$(conf CHANGED)" = true ]; then
    keep_key
    remember CHANGED false
  fi
  agent_start
  note=$(caveats)
  printf '{"result":0,"type":"success","message":"Backups are configured.","note":"%s"}\n' "$(printf '%s' "$note" | json_text)"
}

# What was chosen, said by whether it opens.
open_storage() {
  case $1 in
    nothing) "$PROGRAM" --quiet init ;;
    theirs) adopt ;;
    # Another storage's repository: that the password opens it is not known before.
    ours) [ "$(conf CHANGED)" != true ] || "$PROGRAM" --quiet snapshots ;;
  esac
}

# Identity and key tell the former storage from a wrong one, and open its repository alone. The password makes the new one's.
set_aside() {
  for file in identity.json master.key; do
    own=$STATE/$(env_name)/$file
    if [ -e "$own.before" ]; then
      # An attempt that did not come to its end: the former one's are aside already.
      rm -f "$own"
    elif [ -e "$own" ]; then
      mv "$own" "$own.before"
    fi
  done
}

put_back() {
  for file in identity.json master.key; do
    own=$STATE/$(env_name)/$file
    rm -f "$own"
    if [ -e "$own.before" ]; then mv "$own.before" "$own"; fi
  done
}

# A key is never deleted: it may be the only thing that opens the former storage.
keep_key() {
  own=$STATE/$(env_name)
  rm -f "$own/identity.json.before"
  [ -e "$own/master.key.before" ] || return 0
  kept=$own/master.key.$(conf FORMER)
  if [ -e "$kept" ] && ! cmp -s "$own/master.key.before" "$kept"; then kept=$kept-$(date -u +%Y%m%dT%H%M%SZ); fi
  mv "$own/master.key.before" "$kept"
}

# What whoever configures backups should know of them.
caveats() {
  wide=''
  if [ "$(conf EXPORT)" = /data ]; then wide='This node can reach the whole storage, also other environments'\'' backups.'; fi
  if grep -qxF "$NO_DATABASES" "$ETC/lifeboat.yaml" 2>/dev/null; then
    wide="${wide:+$wide }No database was found: files alone are backed up. Name databases in $ETC/extra.yaml, and press Configure."
  fi
  printf '%s' "$wide"
}

# --- jobs -----------------------------------------------------------------------------------------------------------------------------

# Begins a command that goes on without its caller, waits for its end for a while, and answers.
job() {
  kind=$1
  shift
  directory=$JOBS/$(date -u +%Y%m%dT%H%M%SZ)-$kind-$$
  mkdir -p "$directory"
  find "$JOBS" -mindepth 1 -maxdepth 1 -type d -mtime +90 -exec rm -rf {} +
  setsid "$PLACE/node" run-job "$directory" "$@" </dev/null >/dev/null 2>&1 &
  waited=0
  while [ ! -e "$directory/code" ] && [ "$waited" -lt "$WAIT" ]; do
    sleep 1
    waited=$((waited + 1))
  done
  job_told "$directory" "$kind"
}

run_job() {
  directory=$1
  shift
  echo $$ >"$directory/pid"
  code=0
  "$@" >"$directory/said" 2>&1 || code=$?
  { printf '%s %s: exit code %s\n' "$(date -u +%FT%TZ)" "$*" "$code"; cat "$directory/said"; } >>"$LOG"
  echo "$code" >"$directory/code.new"
  mv "$directory/code.new" "$directory/code"
  # Its run is in another history, where no hook tells of it.
  case $directory in *-borrow-*) tell_platform lifeboat-result ;; esac
  storage_away
}

job_told() {
  if [ ! -e "$1/code" ]; then
    answer info "The $2 goes on in the background; the menu entry Status shows how far it is."
    return 0
  fi
  code=$(cat "$1/code")
  case $code in
    0) type=success ;;
    3 | 11 | 75 | 130) type=warning ;;
    *) type=error ;;
  esac
  answer "$type" "$(from_error "$(cat "$1/said")" | tail -n 20)"
}

# The agent makes a backup in its turn; without one, this node does.
backup() {
  if agent_answers; then
    job backup "$PROGRAM" --quiet backup --remote
  else
    job backup "$PROGRAM" --quiet backup
  fi
}

restore() {
  case $1 in '' | -* | *[!0-9A-Za-z:_+.-]*) refuse "There is no such backup." ;; esac
  case $2 in
    all) job restore "$PROGRAM" --quiet restore --at "$1" --yes ;;
    files) job restore "$PROGRAM" --quiet restore --at "$1" --yes --files ;;
    database) job restore "$PROGRAM" --quiet restore --at "$1" --yes --database ;;
    *) refuse "Choose what to restore." ;;
  esac
}

# --- what is shown ------------------------------------------------------------------------------------------------------------------------

status() {
  agent='The agent does not run: nothing is backed up by itself.'
  if agent_answers; then agent=$("$PROGRAM" status 2>&1 || true); fi
  lines=$("$PROGRAM" runs -n 5 2>&1 || true)
  answer info "$(printf '%s\n\n%s\n%s\n' "$agent" "$lines" "$(caveats)")"
}

form() {
  printf '{"result":0,"conf":{'
  comma=''
  for key in $KEYS; do
    value=$(conf "$key")
    if [ -n "$value" ]; then
      printf '%s"%s":"%s"' "$comma" "$key" "$(printf '%s' "$value" | json_text)"
      comma=,
    fi
  done
  printf '}}\n'
}

# One member of the document that the program prints with --json.
result_of() {
  printf '{"result":0,"%s":' "$1"
  shift
  if said=$("$PROGRAM" --json "$@" 2>/dev/null); then
    # Pretty-printed, the result is what stands between these lines.
    printf '%s\n' "$said" | sed -e '1,/^  "result": /{s/^  "result": //;t' -e 'd' -e '}' -e '$d'
  else
    printf '[],"message":"%s"' "$(printf '%s\n' "$said" | sed -n 's/^    "message": "\(.*\)",\{0,1\}$/\1/p' | json_text)"
  fi
  printf '}\n'
}

list() {
  storage_here || { printf '{"result":0,"snapshots":[],"message":"The backup storage cannot be reached."}\n'; return 0; }
  result_of snapshots snapshots
  storage_away
}

# --- verbs ------------------------------------------------------------------------------------------------------------------------------

install_here() {
  chmod 755 "$PLACE/lifeboat.new"
  "$PLACE/lifeboat.new" --version >/dev/null
  # A hard link keeps the file whose hash says that nothing need be fetched again.
  if ! cmp -s "$PLACE/lifeboat.new" "$PROGRAM"; then
    ln -f "$PLACE/lifeboat.new" "$PROGRAM.new"
    mv -f "$PROGRAM.new" "$PROGRAM"
  fi
  mkdir -p "$ETC" "$STATE" "$JOBS"
  chmod 700 "$ETC" "$STATE"
  if [ -d "${KEPT%/*}" ]; then
    for path in "$ETC" "$STATE" "$PLACE" "$PROGRAM" "$UNIT"; do
      grep -qxF "$path" "$KEPT" 2>/dev/null || echo "$path" >>"$KEPT"
    done
    chmod 644 "$KEPT"
  fi
}

check() {
  [ -d "$1" ] || refuse "There is no directory $1 on this node: nothing to back up. Name the site's directory in the form."
  if is_wordpress "$1"; then
    answer success "WordPress in $1: its files and its database are backed up."
  else
    answer success "No WordPress in $1: its files are backed up. Databases are named in $ETC/extra.yaml (lifeboat config example)."
  fi
}

# A clone has the first environment's identity, password and key in its files. None of it is its own.
bind() {
  case $1 in '' | -* | *[!a-z0-9-]*) refuse "The environment's name is not usable." ;; esac
  before=$(env_name)
  if [ -n "$before" ] && [ "$before" != "$1" ]; then
    agent_stop
    rm -rf "$ETC" "$STATE"
    mkdir -p "$ETC" "$STATE" "$JOBS"
  fi
  mkdir -p "$ETC"
  printf '%s %s\n' "$1" "$(here)" >"$ETC/bound"
  answer success "This node backs up $1."
}

connect() {
  if ! { fits STORAGE "$1" && fits SERVER "$2" && fits EXPORT "$3" && fits REPOSITORY "$4"; }; then
    refuse "The storage's address is not usable."
  fi
  former=$(conf EXPORT):$(conf REPOSITORY) address=$(conf SERVER)
  remember STORAGE "$1"
  remember SERVER "$2"
  # A repository stays where it is: another way to it must not begin a second one.
  if [ -f "$ETC/lifeboat.yaml" ] && [ "$former" != "$3:$4" ] && [ "$1" = "$(conf FIXED)" ]; then
    refuse "The storage is offered as $3 with $4, and was $former: nothing was changed."
  fi
  remember EXPORT "$3"
  remember REPOSITORY "$4"
  # It moved: what is mounted now comes from there, and would be taken for somebody else's.
  if [ -f "$ETC/lifeboat.yaml" ] && [ "$1" = "$(conf FIXED)" ] && [ "$2" != "$address" ]; then
    sed "s|^\(storage: {type: nfs, server: \)\"[^\"]*\"|\1\"$2\"|" "$ETC/lifeboat.yaml" >"$ETC/lifeboat.yaml.new"
    mv -f "$ETC/lifeboat.yaml.new" "$ETC/lifeboat.yaml"
    if is_bound; then agent_start; fi
  fi
  # Chosen by a person: `configure` forgets the former one, but only where it ends well.
  if [ -n "$(conf FIXED)" ] && [ "$1" != "$(conf FIXED)" ]; then
    if [ "$(conf CHANGED)" != true ]; then
      remember FORMER "$(conf FIXED)"
      remember CHANGED true
    elif [ "$1" = "$(conf FORMER)" ] && [ ! -e "$STATE/$(env_name)/master.key.before" ]; then
      # Back to where it was before a choice that did not end well: what opens it is still in its place.
      remember CHANGED false
    fi
  fi
  remember FIXED "$1"
  answer success connected
}

hook_begin() {
  if [ "$(cut -d ' ' -f 2 "$ETC/bound")" = "$SPARE" ]; then
    echo "another node of $(env_name) makes its backups; this one is kept ready to go on with them" >&2
    exit 1
  fi
  if ! is_bound; then
    echo "this node is a copy of $(cut -d ' ' -f 2 "$ETC/bound"), whose backups these are: install the add-on here" >&2
    exit 1
  fi
  storage_here || { echo "the storage did not come to $POINT" >&2; exit 1; }
}

hook_end() {
  # The run ends after its hooks, and what a hook leaves in its process group ends with it: this waits until `tell` has a group
  # of its own and lets go of its output.
  : "$(setsid "$PLACE/node" tell "$LIFEBOAT_RUN" </dev/null 2>/dev/null &)"
}

tell() {
  exec >/dev/null
  "$PROGRAM" --quiet runs --follow "$1" >/dev/null 2>&1 || true
  storage_away
  tell_platform lifeboat-result
}

# Runs that ended since this was last asked: each is told once, and one that still runs is told when it has ended. An event tells of
# one run, while the next may have begun.
untold() {
  runs=$("$PROGRAM" --json runs -n 50 2>/dev/null) || { printf '{"result":0,"runs":[]}\n'; return 0; }
  printf '{"result":0,"runs":['
  # Pretty-printed, each run is what stands between two lines of four blanks and a brace.
  printf '%s\n' "$runs" | awk -v told="$STATE/told" '
    BEGIN { while ((getline id < told) > 0) known[id] = 1; printf "" > (told ".new") }
    /^    \{$/ { run = id = ""; running = 0 }
    /^      "id": "/ { split($0, part, "\""); id = part[4] }
    /^      "standing": "running"/ { running = 1 }
    { run = run $0 "\n" }
    /^    \},?$/ && !running {
      print id > (told ".new")
      if (!(id in known)) { sub(/,\n$/, "", run); printf "%s%s", comma, run; comma = "," }
    }'
  mv -f "$STATE/told.new" "$STATE/told"
  printf ']}\n'
}

mark_purge() {
  remember PURGE "$1"
  if [ "$1" = true ]; then
    answer warning "With the add-on, all backups of $(env_name) will be deleted."
  else
    answer success "The backups of $(env_name) stay when the add-on is uninstalled."
  fi
}

# The add-on stays where its backups cannot be deleted, and so does its agent.
unpurged() {
  agent_start
  refuse "The backups could not be deleted: $1"
}

purge() {
  place=$POINT/$(conf REPOSITORY)
  if [ -e "$place/config" ]; then
    # Out of sight in one step: whoever looks meanwhile finds no half of a repository.
    said=$(mv "$place" "$place.deleted" 2>&1) || unpurged "$said"
  fi
  # Also what a former attempt could not delete.
  said=$(rm -rf "$place.deleted" 2>&1) || unpurged "$said"
  if [ "$(conf EXPORT)" != /data ]; then rm -f "$POINT/.lifeboat-storage"; fi
}

uninstall() {
  if [ "$(conf PURGE)" = true ]; then
    mounted || refuse "The storage cannot be reached, so that its backups cannot be deleted. Start it, or take the mark back."
  fi
  agent_stop
  if [ "$(conf PURGE)" = true ]; then
    purge
    rm -rf "$ETC" "$STATE"
  fi
  rm -f "$UNIT" "$PROGRAM" "$LOG"
  if [ -f "$KEPT" ]; then
    grep -vxF -e "$PLACE" -e "$PROGRAM" -e "$UNIT" "$KEPT" >"$KEPT.new" || true
    # The password stays where the backups stay.
    if [ ! -e "$ETC/password" ]; then
      grep -vxF -e "$ETC" -e "$STATE" "$KEPT.new" >"$KEPT.newer" || true
      mv "$KEPT.newer" "$KEPT.new"
    fi
    chmod 644 "$KEPT.new"
    mv "$KEPT.new" "$KEPT"
  fi
  rm -rf "$PLACE"
  answer success "Lifeboat is removed."
}

knows() {
  if [ -s "$ETC/password" ] && [ -f "$ETC/lifeboat.yaml" ]; then known=true; else known=false; fi
  printf '{"result":0,"type":"success","message":"","knows":%s}\n' "$known"
}

# Not what the node remembers of its own runs: a restore that is under way here would be gone on with there.
pack() {
  state=${STATE#/}/$(env_name)
  printf '{"result":0,"type":"success","message":"","satchel":"%s"}\n' \
    "$(cd / && tar -cz "${ETC#/}" "$state/master.key" "$state/identity.json" 2>/dev/null | base64 | tr -d '\n')"
}

# From standard input: an argument could be read by everybody on the node.
unpack() {
  base64 -d 2>/dev/null | tar -xz -C / 2>/dev/null || refuse "What the other node gave cannot be unpacked."
  answer success unpacked
}

# Gives another environment of this account what it needs for one restore: a password of its own, which is taken back afterwards.
lend() {
  storage_here || refuse "The backup storage of $(env_name) cannot be reached."
  random_line >"$STATE/lent.new"
  said=$("$PROGRAM" --json key add --new-password-file "$STATE/lent.new" 2>/dev/null) || true
  key=$(printf '%s\n' "$said" | sed -n 's/.*"added": "\([0-9a-f]*\)".*/\1/p')
  password=$(cat "$STATE/lent.new")
  rm -f "$STATE/lent.new"
  storage_away
  [ -n "$key" ] || refuse "The backups of $(env_name) cannot be lent: $(printf '%s' "$said" | sed -n 's/.*"message": "\(.*\)".*/\1/p')"
  printf '{"result":0,"type":"success","message":"","key":"%s","password":"%s","server":"%s","export":"%s","repository":"%s"}\n' \
    "$key" "$password" "$(conf SERVER)" "$(conf EXPORT)" "$(conf REPOSITORY)"
}

take_back() {
  case $1 in '' | *[!0-9a-f]*) refuse "There is no such key." ;; esac
  storage_here || refuse "The backup storage of $(env_name) cannot be reached."
  said=$("$PROGRAM" --quiet key remove "$1" 2>&1) || { storage_away; refuse "$said"; }
  storage_away
  answer success "The key is taken back."
}

# borrow FROM KEY SERVER EXPORT REPOSITORY AT PART OLD_HOST NEW_HOST, and the password on standard input: restores what another
# environment lends into this one, which keeps its own configuration and database.
borrow() {
  [ $# -eq 9 ] || refuse "What is lent is not usable."
  if ! { fits STORAGE "$1" && fits SERVER "$3" && fits EXPORT "$4" && fits REPOSITORY "$5"; }; then refuse "What is lent is not usable."; fi
  case $2$8$9 in *[!0-9A-Za-z.-]*) refuse "What is lent is not usable." ;; esac
  case $6 in '' | -* | *[!0-9A-Za-z:_+.-]*) refuse "There is no such backup." ;; esac
  part=
  case $7 in all) ;; files) part=--files ;; database) part=--database ;; *) refuse "Choose what to restore." ;; esac
  # Its files are those of the other one, and so is the key that has to be given back.
  if at_work borrow; then refuse "A restore from another environment is under way: wait for its end."; fi
  place=$STATE/lent
  rm -rf "$place"
  mkdir -p "$place/site"
  head -n 1 >"$place/password"
  printf '%s %s\n' "$1" "$2" >"$place/key"
  cat >"$place/lifeboat.yaml" <<YAML
site: {name: $1, root: $place/site}
databases: []
storage: {type: nfs, server: "$3", export: $4, mountpoint: $LENT, mount: present}
repository: {path: $5, password: {file: $place/password}}
zone: $(conf ZONE)
state: $place/state
YAML
  # shellcheck disable=SC2086  # no part, no word
  job borrow "$PROGRAM" --quiet -c "$place/lifeboat.yaml" restore --at "$6" --into "$ETC/lifeboat.yaml" --remap "$8=$9" --yes $part
}

# What is borrowed and no longer needed.
borrowed() {
  from='' key='' said=''
  if [ -f "$STATE/lent/key" ] && ! at_work borrow; then
    read -r from key <"$STATE/lent/key"
    last=$(find "$JOBS" -mindepth 1 -maxdepth 1 -name '*-borrow-*' | sort | tail -n 1)
    said=$(tail -n 20 "$last/said" 2>/dev/null || true)
  fi
  printf '{"result":0,"from":"%s","key":"%s","said":"%s"}\n' "$from" "$key" "$(printf '%s' "$said" | json_text)"
}

# Whether a detached job of this kind goes on. After a start of the node, somebody else may have the number of its process.
at_work() {
  for directory in "$JOBS"/*-"$1"-*; do
    if [ ! -d "$directory" ] || [ -e "$directory/code" ]; then continue; fi
    pid=$(cat "$directory/pid" 2>/dev/null) || continue
    words=$(tr '\0' ' ' 2>/dev/null <"/proc/${pid:-none}/cmdline") || continue
    case $words in *" run-job $directory "*) return 0 ;; esac
  done 2>/dev/null
  return 1
}

busy() {
  restoring=false
  for kind in restore undo borrow; do
    if at_work "$kind"; then restoring=true; fi
  done
  result_of runs runs -n 10 | sed "s/^{\"result\":0,/{\"result\":0,\"restoring\":$restoring,/"
}

active() {
  printf '%s %s\n' "$1" "$(here)" >"$ETC/bound"
  answer success "This node backs up $1."
}

spare() {
  agent_stop
  printf '%s %s\n' "$(env_name)" "$SPARE" >"$ETC/bound.new"
  mv -f "$ETC/bound.new" "$ETC/bound"
  answer success spare
}

start() {
  if [ -f "$ETC/lifeboat.yaml" ] && is_bound && [ -x "$PROGRAM" ]; then agent_start; fi
  answer success started
}

verb=${1:-}
[ $# -eq 0 ] || shift
case $verb in
  install) install_here ;;
  check) check "$1" ;;
  bind) bind "$1" ;;
  connect) connect "$1" "$2" "$3" "$4" ;;
  configure) configure "$@" ;;
  start) start ;;
  backup) backup ;;
  restore) restore "$1" "${2:-all}" ;;
  drill) job drill "$PROGRAM" --quiet drill ;;
  undo) job undo "$PROGRAM" --quiet restore --undo --yes ;;
  adopt) job adopt "$PLACE/node" adopt-here ;;
  adopt-here) adopt_here ;;
  run-job) run_job "$@" ;;
  status) status ;;
  logs) answer info "$(tail -n 40 "$LOG" 2>/dev/null || true)" ;;
  form) form ;;
  list) list ;;
  busy) busy ;;
  away) away ;;
  untold) untold ;;
  hook-begin) hook_begin ;;
  hook-end) hook_end ;;
  tell) tell "$1" ;;
  mark-purge) mark_purge "$1" ;;
  uninstall) uninstall ;;
  uninstall-spare) agent_stop; rm -rf "$ETC" "$STATE"; rm -rf "$UNIT" "$PROGRAM" "$LOG" "$PLACE"; answer success removed ;;
  knows) knows ;;
  pack) pack ;;
  unpack) unpack ;;
  lend) lend ;;
  take-back) take_back "$1" ;;
  borrow) borrow "$@" ;;
  borrowed) borrowed ;;
  returned) rm -rf "$STATE/lent"; answer success returned ;;
  active) active "$1" ;;
  spare) spare ;;
  *) refuse "There is no verb $verb." ;;
esac
