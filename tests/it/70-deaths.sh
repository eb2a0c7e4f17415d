#!/bin/bash
# kill -9 of each of our processes: apps keep their pid, and the state is the last acknowledged.
. "$(dirname "$0")/lib.sh"

platform_start || bail "the platform does not start"
person me
"$paas" keys add me "$T/key.me.pub" >/dev/null
site "$T/site" "alive"
repo alive "$T/site"
push me alive >/dev/null
"$paas" scale web=2 -a alive >/dev/null
up() { [[ $("$paas" ps -a alive --json 2>/dev/null | jq '[.[] | select(.state == "up")] | length') == 2 ]]; }
check "two instances" eventually 20 up
pids() { for p in $(cat /sys/fs/cgroup/unified/paas-"$name"/app.*/cgroup.procs /sys/fs/cgroup/paas-"$name"/app.*/cgroup.procs 2>/dev/null); do echo "$p"; done | sort -n | xargs; }
before=$(pids)
unlike "they have processes" "$before" '^$'
child() { pgrep -P "$paasd_pid" -f "paas-$1" | head -1; }
api() { "$paas" apps >/dev/null 2>&1; }

# hammer: requests one after another until stopped; failures are counted
hammer() {
	local n=0 bad=0 answer last=
	while [[ ! -e $T/stop ]]; do
		n=$((n + 1))
		answer=$(curl -sS -i -m $((5 * slow)) -H 'Host: alive.localhost' "http://$http/" 2>&1)
		[[ ${answer##*$'\n'} == alive ]] && continue
		bad=$((bad + 1)) last=$answer
	done
	echo "$bad of $n ${last:+, the last: $last}" >"$T/hammered"
}
hammer &
hammer_pid=$!
for role in control receiver logs; do
	old=$(child "$role")
	check "$role runs" test -n "$old"
	kill -9 "$old"
	check "$role is replaced" eventually 20 bash -c "new=\$(pgrep -P $paasd_pid -f paas-$role | head -1); [[ -n \$new && \$new != $old ]]"
	check "the API answers after the death of $role" eventually 20 api
	check "ssh too" eventually 20 on me whoami
	is "the apps kept their pids" "$(pids)" "$before"
done
touch "$T/stop"
wait "$hammer_pid"
like "and no request failed" "$(cat "$T/hammered")" "^0 of"
check "both are up as control sees it" eventually 10 up

check "config set" "$paas" config set ACK=1 -a alive
# The instances of the release before have their time to end; then two are left.
settled() { up && [[ $(for d in /sys/fs/cgroup{,/unified}/paas-"$name"/app.*; do [[ -d $d ]] && echo "$d"; done | wc -l) == 2 ]]; }
check "the new release has replaced the old" eventually 40 settled
before=$(pids)

# ---- paasd itself
rm "$T/stop"
hammer &
hammer_pid=$!
old_http=$http
workers() { cat /sys/fs/cgroup/unified/paas-"$name"/router.*/cgroup.procs /sys/fs/cgroup/paas-"$name"/router.*/cgroup.procs 2>/dev/null | sort -n | xargs; }
old_workers=$(workers)
# Workers with clients on their hands: connections must not be taken for listeners.
held=()
for _ in {1..24}; do
	exec {fd}<>"/dev/tcp/${http%:*}/${http##*:}"
	held+=("$fd")
done
kill -9 "$paasd_pid"
wait "$paasd_pid" 2>/dev/null
is "with paasd dead the apps keep their pids" "$(pids)" "$before"
is "and answer" "$(get alive)" alive
platform_start || bail "paasd does not start again"
is "the new paasd has the old port" "$http" "$old_http"
is "and the old router workers" "$(workers)" "$old_workers"
printf 'GET / HTTP/1.1\r\nHost: alive.localhost\r\nConnection: close\r\n\r\n' >&"${held[0]}"
like "a connection from before is answered" "$(timeout 10 cat <&"${held[0]}")" "alive"
for fd in "${held[@]}"; do
	exec {fd}>&-
done
is "and kept the apps' pids" "$(pids)" "$before"
check "control knows them" eventually 20 up
is "what was acknowledged is there" "$("$paas" config get ACK -a alive)" 1
touch "$T/stop"
wait "$hammer_pid"
like "no request failed" "$(cat "$T/hammered")" "^0 of"
check "adopted instances can be scaled away" "$paas" scale web=1 -a alive
check "and are" eventually 40 bash -c "[[ \$($paas ps -a alive --json | jq length) == 1 ]]"
is "the log goes on after adoption" "$(get alive /after-adoption >/dev/null; eventually 10 bash -c "$paas logs -a alive -n 100 | grep -q /after-adoption" && echo yes)" yes
echo "after" >"$T/alive/index.html"
commit alive after
check "a push works" push me alive
is "and is live" "$(get alive)" after

# ---- a router worker
worker=$(pgrep -f "paas-router.*--worker" | while read -r p; do grep -qs "paas-$name/router" "/proc/$p/cgroup" && echo "$p"; done | head -1)
check "a router worker is killed" kill -9 "$worker"
check "and another serves" eventually 10 bash -c "[[ \$(curl -s -m $((2 * slow)) -H 'Host: alive.localhost' http://$http/) == after ]]"

# ---- SIGHUP: a new paasd in the same process
before=$(pids)
kill -HUP "$paasd_pid"
check "after SIGHUP the API answers" eventually 30 api
is "apps keep their pids" "$(pids)" "$before"
is "and answer" "$(get alive)" after

# ---- a push in flight when paasd dies
mkdir "$T/slow.src" "$T/slow.src/bin"
printf '#!/bin/bash\necho waiting-now\nsleep %d\n' $((20 * slow)) >"$T/slow.src/bin/compile"
chmod +x "$T/slow.src/bin/compile"
"$paas" create slow >/dev/null
"$paas" buildpacks set inline -a slow >/dev/null
repo slow "$T/slow.src"
push me slow >"$T/slow.out" 2>&1 &
pusher=$!
eventually 20 grep -q waiting-now "$T/slow.out"
kill -9 "$paasd_pid"
wait "$pusher"
check "the push in flight fails" test "$?" != 0
wait "$paasd_pid" 2>/dev/null
platform_start || bail "paasd does not start again"
check "no debris of the build is left" eventually 20 bash -c "! ls -d /sys/fs/cgroup/unified/paas-$name/{build,git}.* /sys/fs/cgroup/paas-$name/{build,git}.* 2>/dev/null | grep ."
sed -i 's/sleep [0-9]*/cp \/paas\/bin\/paas-static $1\/bin/' "$T/slow.src/bin/compile" "$T/slow/bin/compile"
echo "web: bin/paas-static" >"$T/slow/Procfile"
echo slow >"$T/slow/index.html"
commit slow again
check "and it can be pushed again" push me slow
is "live" "$(get slow)" slow

# ---- the processes of a push, and of an instance
inside() { # COMMAND-LINE KIND: the pid of one in a sandbox of that kind of the app slow
	pgrep -f "$1" | while read -r p; do
		grep -qs "paas-$name/$2\..*\.slow\." "/proc/$p/cgroup" && echo "$p"
	done | head -1
}
printf '#!/bin/bash\necho waiting-now\nsleep %d\n' $((20 * slow)) >"$T/slow/bin/compile"
for victim in "paas-build build" "pre-receive git" "^paas-init build" "^paas-init git"; do
	commit slow "$victim"
	push me slow >"$T/slow.out" 2>&1 &
	pusher=$!
	eventually 20 grep -q waiting-now "$T/slow.out"
	# shellcheck disable=SC2086
	check "kill -9 of $victim in a push" kill -9 "$(inside $victim)"
	wait "$pusher"
	unlike "fails the push" "$?" '^0$'
	is "and the live release is as it was" "$(get slow)" slow
done
old=$(inside '^paas-init' app)
check "kill -9 of an instance's init" kill -9 "$old"
fresh() { [[ -n $(inside '^paas-init' app) && $(inside '^paas-init' app) != "$old" && $(get slow) == slow ]]; }
check "and a new instance answers" eventually 20 fresh

# ---- two on one state directory
refused "a second paasd on the same state is refused" "." timeout $((20 * slow)) "$paasd" --config /dev/null --name x$name --state "$T/state" --http 127.0.0.1:0 --ssh 127.0.0.1:0 --domain localhost --subnet 10.9.0.0/16
is "the store is whole" "$(sqlite3 "$T/state/paas.db" 'pragma integrity_check')" ok
finish
