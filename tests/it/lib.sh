#!/bin/bash
# What every script of tests/it begins with: TAP, a platform of its own, and the clients of a
# person who pushes. A script is a list of checks; `finish` stops the platform and counts what
# it left behind.
# shellcheck disable=SC2034 # much of what is set here is for the scripts
set -uo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
B=${B:-build}
paas=$top/$B/bin/paas
paasd=$top/$B/bin/paasd
examples=$top/buildpacks

T=$(mktemp -d)
name=t$(printf '%x' $$ | tail -c 5)
# Several runs may share a host: thousands of subnets make it unlikely that two are the same.
subnet=10.$((64 + $$ / 64 % 64)).$(($$ % 64 * 4)).0/22
# How many times longer everything may take here: an emulated machine is slow.
slow=${TEST_SLOW:-1}
n_tests=0
n_failed=0
paasd_pid=

# ---- TAP ----------------------------------------------------------------------------------------

pass() { n_tests=$((n_tests + 1)); echo "ok $n_tests - $1"; }
fail() { # NAME [DETAIL...]
	n_tests=$((n_tests + 1)) n_failed=$((n_failed + 1))
	echo "not ok $n_tests - $1"
	shift
	(($#)) && sed 's/^/# /' <<<"$*"
	return 0
}
skip() { n_tests=$((n_tests + 1)); echo "ok $n_tests - $1 # SKIP $2"; }
# is NAME GOT WANTED
is() { if [[ $2 == "$3" ]]; then pass "$1"; else fail "$1" "got:    $2"$'\n'"wanted: $3"; fi; }
# like NAME GOT REGEX, unlike NAME GOT REGEX (bash's =~)
like() { if [[ $2 =~ $3 ]]; then pass "$1"; else fail "$1" "got: $2"$'\n'"no match for: $3"; fi; }
unlike() { if [[ $2 =~ $3 ]]; then fail "$1" "got: $2"$'\n'"matches: $3"; else pass "$1"; fi; }
# check NAME COMMAND...: the command succeeds
check() {
	local what=$1 out
	shift
	if out=$("$@" 2>&1); then pass "$what"; else fail "$what" "$* -> $?"$'\n'"$out"; fi
}
# refused NAME REGEX COMMAND...: the command fails, and says something that matches
refused() {
	local what=$1 regex=$2 out
	shift 2
	if out=$("$@" 2>&1); then fail "$what" "succeeded: $*"$'\n'"$out"; else like "$what" "$out" "$regex"; fi
}
# eventually SECONDS COMMAND...: until it succeeds; for things that give no event to wait on
eventually() {
	local end=$((SECONDS + $1 * slow))
	shift
	until "$@" >/dev/null 2>&1; do
		((SECONDS < end)) || return 1
		sleep 0.05
	done
}
bail() { echo "Bail out! $*"; echo "not ok $((n_tests + 1)) - $*"; exit 1; }

# ---- the platform ---------------------------------------------------------------------------------

# platform_start [OPTION...]: a fresh one, or the one of $T/state again
platform_start() {
	local line fd
	mkfifo "$T/ready.$$" 2>/dev/null
	"$paasd" --config /dev/null --name "$name" --state "$T/state" --http "${http:-127.0.0.1:0}" \
		--ssh "${ssh:-127.0.0.1:0}" --domain localhost --subnet "$subnet" "$@" \
		>"$T/ready.$$" 2>>"$T/paasd.log" &
	paasd_pid=$!
	exec {fd}<"$T/ready.$$"
	if ! read -r -t $((60 * slow)) -u "$fd" line; then
		exec {fd}<&-
		return 1
	fi
	exec {fd}<&-
	ready=$line
	http=$(sed -n 's/.* http=\([^ ]*\).*/\1/p' <<<"$line")
	ssh=$(sed -n 's/.* ssh=\([^ ]*\).*/\1/p' <<<"$line")
	control=$(sed -n 's/.* control=\([^ ]*\).*/\1/p' <<<"$line")
	ssh_host=${ssh%:*} ssh_port=${ssh##*:}
	export PAAS_SOCKET=$control
}

platform_stop() {
	[[ -n $paasd_pid ]] || return 0
	kill -TERM "$paasd_pid" 2>/dev/null
	wait "$paasd_pid"
	local code=$?
	paasd_pid=
	return $code
}

# What a platform must not leave behind; prints what it finds.
leftovers() {
	grep -F "$T" /proc/self/mountinfo | awk '{print "mount " $5}'
	ip -o link 2>/dev/null | awk -F': ' -v n="$name-" 'index($2, n) == 1 {print "interface " $2}'
	find /sys/fs/cgroup -maxdepth 3 -name "paas-$name" 2>/dev/null | sed 's/^/cgroup /'
	nft list tables 2>/dev/null | grep -w "paas-$name\|paas_$name" | sed 's/^/nft /'
	losetup -a 2>/dev/null | grep -F "$T" | sed 's/^/loop /'
	pgrep -a -f -- "--state $T/state" | sed 's/^/process /'
}

cleanup() {
	local code=$?
	if [[ -n $paasd_pid ]]; then
		kill -TERM "$paasd_pid" 2>/dev/null
		kill -TERM "$paasd_pid" 2>/dev/null
		wait "$paasd_pid" 2>/dev/null
	fi
	[[ -n ${agent_pid:-} ]] && kill "$agent_pid" 2>/dev/null
	if ((code != 0 || n_failed)) && [[ -s $T/paasd.log ]]; then
		echo "# --- the platform's own log, last lines"
		tail -n 40 "$T/paasd.log" | sed 's/^/# /'
	fi
	rm -rf "$T"
}
trap cleanup EXIT
trap 'exit 1' TERM INT

finish() {
	if [[ -n $paasd_pid ]]; then
		# Not with check: only the shell that started it can wait for it.
		platform_stop
		is "the platform stops cleanly" "$?" 0
		is "and leaves nothing behind" "$(leftovers)" ""
	fi
	# What a sanitized process of the platform said last; tests/run looks for it.
	grep -aE -A 30 "ERROR: (Address|Leak)Sanitizer|: runtime error: " "$T/paasd.log" 2>/dev/null | head -n 200
	echo "1..$n_tests"
	exit $((n_failed > 0))
}

# ---- a person who pushes -----------------------------------------------------------------------------

export HOME=$T/home
mkdir -p "$HOME/.ssh"
cat >"$HOME/.gitconfig" <<-EOF
	[user]
		name = Test
		email = test@example.org
	[init]
		defaultBranch = master
	[advice]
		detachedHead = false
EOF
export GIT_TERMINAL_PROMPT=0
unset PAAS_APP GIT_DIR

# person NAME [TYPE]: makes a key and an ssh configuration; `as NAME COMMAND...` uses it
person() {
	ssh-keygen -q -t "${2:-ed25519}" -N '' -C "$1@example.org" -f "$T/key.$1"
	cat >"$T/ssh.$1" <<-EOF
		Host *
		IdentityFile $T/key.$1
		IdentitiesOnly yes
		StrictHostKeyChecking accept-new
		UserKnownHostsFile $T/known_hosts
		LogLevel ERROR
		BatchMode yes
	EOF
}
as() {
	local who=$1
	shift
	GIT_SSH_COMMAND="ssh -F $T/ssh.$who" "$@"
}
# on NAME ARGS...: a paas command over ssh
on() {
	local who=$1
	shift
	ssh -F "$T/ssh.$who" -p "$ssh_port" "paas@$ssh_host" "$@"
}
url() { echo "ssh://paas@$ssh/$1.git"; }

# repo APP [FROM]: a git repository $T/APP with the files of FROM (or empty), remote "platform"
repo() {
	git init -q "$T/$1"
	[[ -n ${2:-} ]] && cp -a "$2/." "$T/$1/"
	git -C "$T/$1" remote add platform "$(url "$1")"
	[[ -n ${2:-} ]] && commit "$1" "first"
	return 0
}
commit() { git -C "$T/$1" add -A && git -C "$T/$1" commit -q --allow-empty -m "${2:-change}"; }
# push WHO APP [REFSPEC...]: prints what git prints
push() {
	local who=$1 app=$2
	shift 2
	as "$who" git -C "$T/$app" push platform "${@:-master}" 2>&1
}
# get APP [PATH] [CURL OPTIONS...]
get() {
	local app=$1 path=${2:-/}
	shift
	(($#)) && shift
	curl -sS -m $((20 * slow)) -H "Host: $app.localhost" "$@" "http://$http$path"
}
# status of a request
code() {
	local app=$1 path=${2:-/}
	shift
	(($#)) && shift
	curl -sS -m $((20 * slow)) -o /dev/null -w '%{http_code}' -H "Host: $app.localhost" "$@" "http://$http$path"
}

# A site of one file.
site() { # DIRECTORY TEXT
	mkdir -p "$1" && echo "$2" >"$1/index.html"
}
