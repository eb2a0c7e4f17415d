#!/bin/bash
# The parent itself: what it refuses, what it keeps through crashes and reloads, and what it
# leaves behind, which is nothing.
. "$(dirname "$0")/lib.sh"

# try ARGS...: paasd where it must not start
try() { timeout 20 "$paasd" --config /dev/null --name "x${name:1}" --http 127.0.0.1:0 --ssh 127.0.0.1:0 --domain localhost "$@"; }
status() { "$@" >/dev/null 2>&1; echo $?; }
workers() { cat /sys/fs/cgroup{,/unified}/paas-"$name"/router.*/cgroup.procs 2>/dev/null | sort -n | xargs; }
# role NAME: the pid of that child; the register is in one of two places
role() { cat /sys/fs/cgroup{,/unified}/paas-"$name"/role."$1"/cgroup.procs 2>/dev/null | head -1 || true; }
answers() { [[ $(curl -s -m 5 -o /dev/null -w '%{http_code}' "http://${1:-$http}/") == 404 ]]; }
api() { "$paas" apps >/dev/null 2>&1; }
ssh_answers() { [[ $(timeout 5 bash -c "exec 3<>/dev/tcp/$ssh_host/$ssh_port; head -c 4 <&3") == SSH- ]]; }
said() { grep -q -e "$1" "$T/paasd.log"; }

# ---- refused before anything is touched
like "--version" "$("$paasd" --version)" '^paasd [0-9]'
like "--help lists the options" "$("$paasd" --help)" '--instance-memory SIZE'
is "help is no failure" "$(status "$paasd" --help)" 0
refused "an unknown option" 'unknown option "--bogus"' try --bogus 1
is "is a usage error" "$(status try --bogus 1)" 2
printf '# mine\nname = a\nnmae = b\n' >"$T/bad.conf"
refused "an unknown key is refused with its line" 'bad.conf:3: unknown key "nmae"' "$paasd" --config "$T/bad.conf"
refused "a missing file" 'no.conf: No such file' "$paasd" --config "$T/no.conf"
refused "https" 'not served yet' try --https 127.0.0.1:0 --state "$T/s1"
refused "not root" 'must be run as root' setpriv --reuid 65534 --clear-groups -- "$paasd" --config /dev/null
mkdir "$T/letters" && echo dear >"$T/letters/mum.txt"
refused "a directory with other files" 'no platform' try --state "$T/letters"
is "which stays as it was" "$(ls "$T/letters")" mum.txt
refused "an address that is not ours" 'listen on 203.0.113.1:80' try --state "$T/s1" --http 203.0.113.1:80
is "leaves no cgroup" "$(find /sys/fs/cgroup -maxdepth 2 -name "paas-x${name:1}")" ""
is "and no table of the firewall" "$(nft list tables 2>/dev/null | grep "paas-x${name:1}")" ""

# ---- start
platform_start --routers 2 || bail "the platform does not start"
like "the ready line" "$ready" '^ready http=127\.0\.0\.1:[0-9]+ ssh=127\.0\.0\.1:[0-9]+ control=[^ ]+/control\.sock$'
check "http is answered" answers
check "ssh is answered" ssh_answers
check "so is the API" api
is "control.sock is for root and the group" "$(stat -c '%U:%G %a' "$control")" "root:paas 660"
is "control's user" "$(ps -o user= -p "$(role control)")" paas
is "logs' user" "$(ps -o user= -p "$(role logs)")" paas-log
is "the receiver's user" "$(ps -o user= -p "$(role receiver)")" paas-ssh
read -r first _ <<<"$(workers)"
like "the routers' user" "$(ps -o user:20= -p "$first")" '^paas-router'
like "no child has new privileges" "$(cat /proc/"$(role control)"/status)" 'NoNewPrivs:	1'
refused "a second paasd" "in use by another paasd \(pid $paasd_pid\)" try --state "$T/state"
is "is a failure" "$(status try --state "$T/state")" 1

# ---- each child dies
for r in control logs receiver; do
	old=$(role $r)
	kill -9 "$old"
	replaced() { local new; new=$(role $r); [[ -n $new && $new != "$old" ]]; }
	check "$r is replaced" eventually 20 replaced
	check "and the API answers" eventually 20 api
done
check "ssh is answered again" eventually 20 ssh_answers
for i in 1 2 3; do
	read -r first _ <<<"$(workers)"
	kill -9 "$first"
	check "a request after the death of a router ($i)" answers
	two_workers() { [[ $(workers | wc -w) == 2 ]] && ! workers | grep -qw "$first"; }
	check "which is replaced" eventually 20 two_workers
done
old=$(role control)
kill -STOP "$old" # does not end when paasd does
before=$(workers)

# ---- paasd dies
old_http=$http old_ssh=$ssh http=127.0.0.1:0 ssh=127.0.0.1:0
kill -9 "$paasd_pid"
wait "$paasd_pid" 2>/dev/null
check "with paasd dead http is answered" answers "$old_http"
platform_start --routers 2 || bail "paasd does not start again"
is "the new one has the ports that the kernel chose" "$http $ssh" "$old_http $old_ssh"
is "and the same routers" "$(workers)" "$before"
unlike "a control that hangs was killed first" "$(cat "/proc/$old/status" 2>/dev/null)" 'State:	[^Z]'
check "ssh" ssh_answers
check "API" api

# ---- reload
lines=$(wc -l <"$T/paasd.log")
before=$(workers)
old=$(role control)
kill -HUP "$paasd_pid"
renewed() { local new; new=$(role control); [[ -n $new && $new != "$old" ]] && api; }
check "after SIGHUP there is a new control" eventually 20 renewed
check "in the same process" kill -0 "$paasd_pid"
is "with the same routers" "$(workers)" "$before"
check "on the same port" answers "$old_http"
unlike "and nothing went wrong" "$(tail -n +$((lines + 1)) "$T/paasd.log")" 'cannot|killed'

# ---- another configuration
kill -9 "$paasd_pid"
wait "$paasd_pid" 2>/dev/null
http=127.0.0.1:0,127.0.0.2:0 ssh=127.0.0.1:0
echo "routers = 3" >"$T/live.conf"
platform_start --config "$T/live.conf" || bail "paasd does not start with one more address"
like "an address more" "$http" "^$old_http,127\.0\.0\.2:[0-9]+$"
check "the old one is answered" answers "${http%,*}"
check "the new one too" answers "${http#*,}"
three_new() {
	[[ $(workers | wc -w) == 3 ]] || return 1
	for w in $before; do workers | grep -qw "$w" && return 1; done
	return 0
}
check "routers of the old configuration are replaced" eventually 40 three_new

# ---- a configuration that is broken, then changed
before=$(workers)
old=$(role control)
echo "rooters = 1" >"$T/live.conf"
kill -HUP "$paasd_pid"
check "SIGHUP with a broken file is refused" eventually 20 said 'did not pass its self-test'
check "naming the line" said 'live.conf:1: unknown key "rooters"'
is "control stays" "$(role control)" "$old"
is "routers stay" "$(workers)" "$before"
echo "routers = 2" >"$T/live.conf"
kill -HUP "$paasd_pid"
check "SIGHUP with a good one is not" eventually 20 renewed
two_of_them() { [[ $(workers | wc -w) == 2 ]]; }
check "and it counts" eventually 40 two_of_them
check "http" answers "${http%,*}"

# ---- stop
platform_stop
is "SIGTERM ends it with status 0" "$?" 0
check "it says so" said 'paasd: stopped'
is "and leaves nothing behind" "$(leftovers)" ""
check "nobody listens" bash -c "! curl -s -m 2 http://$old_http/"
check "control.sock is gone" test ! -e "$control"

# ---- a long path, and out of the way of a terminal
http=127.0.0.1:0 ssh=127.0.0.1:0
long=$T/$(printf 'd%.0s' {1..200})
"$paasd" --config /dev/null --name "$name" --state "$long/state" --http 127.0.0.1:0 --ssh 127.0.0.1:0 \
	--domain localhost --subnet "$subnet" --routers 1 >"$T/long" 2>>"$T/paasd.log" </dev/null &
paasd_pid=$!
check "a state path longer than a socket's address" eventually 20 grep -q '^ready' "$T/long"
is "routers are sessions of their own" "$(ps -o sid= -p "$(workers)" | xargs)" "$(workers)"
is "paas reaches its socket" "$(PAAS_SOCKET=$long/state/control.sock "$paas" version --json | jq -r .cli)" \
	"$(PAAS_SOCKET=$long/state/control.sock "$paas" version --json | jq -r .version)"
kill -INT "$paasd_pid"
wait "$paasd_pid"
is "SIGINT stops it too" "$?" 0
paasd_pid=
is "and nothing is left" "$(leftovers)" ""
finish
