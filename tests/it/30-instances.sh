#!/bin/bash
# The life of an instance: up when it accepts, restarted when it crashes, stopped politely, held
# to its limits, and why it ended is known.
. "$(dirname "$0")/lib.sh"

platform_start --boot-time $((6 * slow))s --stop-time 3s --instance-memory 100M --instance-pids 40 || bail "the platform does not start"
person me
"$paas" keys add me "$T/key.me.pub" >/dev/null

# script APP: an app whose web process is the bash script on standard input
script() {
	git init -q "$T/$1"
	git -C "$T/$1" remote add platform "$(url "$1")"
	{ echo '#!/bin/bash'; cat; } >"$T/$1/run"
	chmod +x "$T/$1/run"
	cp "$top/$B/libexec/paas/paas-static" "$T/$1/static"
	echo "$1" >"$T/$1/index.html"
	echo "web: ./run" >"$T/$1/Procfile"
	[[ -n ${2:-} ]] && echo "$2" >>"$T/$1/Procfile"
	commit "$1" first
}
state() { "$paas" ps -a "$1" --json | jq -r ".[] | select(.name == \"$2\") | .state"; }
reason() { "$paas" ps -a "$1" --json | jq -r ".[] | select(.name == \"$2\") | .exit.reason"; }
has_state() { [[ $(state "$1" "$2") == "$3" ]]; }
logged() { "$paas" logs -a "$1" -n 500 | grep -E "$2" >/dev/null; }

script facts <<'EOF'
{
	echo "id=$(id -u):$(id -g):$(id -un) port=$PORT dyno=$DYNO home=$HOME pwd=$PWD"
	echo "caps=$(grep CapEff /proc/self/status | cut -f2) nnp=$(grep NoNewPrivs /proc/self/status | cut -f2) seccomp=$(grep Seccomp: /proc/self/status | cut -f2)"
	echo "pids=$(ls -d /proc/[0-9]* | wc -l) one=$(tr '\0' ' ' </proc/1/cmdline | cut -c1-20)"
	echo "host=$(hostname) tz=$(date +%Z) lang=$LANG"
	touch /usr/x 2>/dev/null && echo "usr is writable"
	touch /app/x && echo "app is writable"
	touch /tmp/x && echo "tmp is writable"
	ls /home /root 2>&1 | head -3
	cat /etc/passwd
	cat /etc/hosts
	cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null
	unshare -U true 2>&1
	ip -o addr 2>/dev/null
	ulimit -n -c
} >facts.txt 2>&1
exec ./static
EOF
echo 'worker: echo working; exec sleep 1000' >>"$T/facts/Procfile"
commit facts worker
check "an app is up" push me facts
facts=$(get facts /facts.txt)
like "it runs as uid 1000, app" "$facts" "id=1000:1000:app"
like "with PORT, DYNO, HOME and /app" "$facts" "port=5000 dyno=web.1 home=/app pwd=/app"
like "without capabilities, with no_new_privs and seccomp" "$facts" "caps=0000000000000000 nnp=1 seccomp=2"
like "in UTC and C.UTF-8" "$facts" "tz=UTC lang=C.UTF-8"
like "it sees its own processes only" "$facts" "pids=[0-9] "
like "/app and /tmp are writable" "$facts" $'app is writable\ntmp is writable'
unlike "/usr is not" "$facts" "usr is writable"
unlike "the host's users are not known" "$facts" "sshd|systemd|paas-log"
like "its memory limit is readable inside" "$facts" "104857600"
unlike "no user namespaces of its own" "$(sed -n '/unshare/p' <<<"$facts")" "^$"

# ---- scale, ps
"$paas" scale web=3 worker=1 -a facts >/dev/null
check "three webs come up" eventually 20 bash -c "[[ \$($paas ps -a facts --json | jq '[.[] | select(.type == \"web\" and .state == \"up\")] | length') == 3 ]]"
check "and a worker" eventually 20 has_state facts worker.1 up
like "ps shows them" "$("$paas" ps -a facts)" "web.3: up"
seen=$(for _ in {1..30}; do get facts /facts.txt | grep -o 'dyno=web.[0-9]'; done | sort -u | xargs)
is "requests go to all of them" "$seen" "dyno=web.1 dyno=web.2 dyno=web.3"
"$paas" scale web=1 -a facts >/dev/null
check "scaling down stops them" eventually 20 bash -c "[[ \$($paas ps -a facts --json | jq '[.[] | select(.type == \"web\")] | length') == 1 ]]"
for bad in web=-1 web=abc nosuch=1 web=10000 web web=1.5 =3 web=; do
	refused "scale $bad is refused" "^paas: ." "$paas" scale "$bad" -a facts
done
is "and changed nothing" "$("$paas" scale -a facts --json | jq -r '.[] | select(.type == "web") | .quantity')" 1
"$paas" scale web=0 -a facts >/dev/null
check "scaled to nothing: H14" eventually 10 bash -c "[[ \$(curl -s -H 'Host: facts.localhost' http://$http/) == *H14* ]]"
is "with status 503" "$(code facts)" 503
"$paas" scale web=1 -a facts >/dev/null
check "and up again" eventually 20 bash -c "[[ \$(curl -s -o /dev/null -w '%{http_code}' -H 'Host: facts.localhost' http://$http/) == 200 ]]"

# ---- apps that do not come up
script never <<'EOF'
exec sleep 1000
EOF
out=$(push me never)
is "an app that never listens is rejected" "$?" 1
like "with R10 and the time" "$out" "R10|$((6 * slow)) seconds"
check "R10 is in the log" logged never "Error R10 \(Boot timeout\)"
script wrong <<'EOF'
PORT=5001 exec ./static
EOF
out=$(push me wrong)
is "an app on the wrong port is rejected" "$?" 1
like "told where it listens" "$out" "5001"
script exits <<'EOF'
echo "cannot start: no database" >&2
exit 3
EOF
out=$(push me exits)
is "an app that exits at once is rejected" "$?" 1
like "with its status" "$out" "status 3"
check "what it said is in the log" logged exits 'app\[web.1\]: cannot start: no database'

# ---- a bad release leaves the good one alone
script good <<'EOF'
exec ./static
EOF
push me good >/dev/null
is "a good release" "$(get good)" good
pid_before=$("$paas" ps -a good --json | jq -r '.[0].id')
printf '#!/bin/bash\nexit 9\n' >"$T/good/run"
commit good bad
refused "a bad one is rejected" "status 9" push me good
is "the good one serves" "$(get good)" good
is "from the same instance" "$("$paas" ps -a good --json | jq -r '.[0].id')" "$pid_before"
like "and is still the current release" "$("$paas" releases -a good --json | jq -r '.[] | select(.current) | .status')" "succeeded"

# ---- crashes
script crash <<'EOF'
if [[ -e /tmp/never ]]; then exit 1; fi
(while read -r -t 1000; do :; done) </dev/null
exec ./static
EOF
git -C "$T/crash" rm -q --cached run 2>/dev/null
cat >"$T/crash/run" <<'EOF'
#!/bin/bash
./static &
server=$!
trap 'kill $server; exit 0' TERM
until [[ -e /app/die ]]; do sleep 0.1; done
kill -9 $server
exit 7
EOF
chmod +x "$T/crash/run"
commit crash real
push me crash >/dev/null
is "it serves" "$(get crash)" crash
first=$("$paas" ps -a crash --json | jq -r '.[0].id')
kill_in() { # APP: SIGKILL of its web process, as a crash
	local pid
	pid=$(for p in /proc/[0-9]*; do
		grep -qs "paas-$name/app\..*\.$1\." "$p/cgroup" && [[ $(tr '\0' ' ' <"$p/cmdline") == *"/run"* ]] && echo "${p#/proc/}"
	done | head -1)
	[[ -n $pid ]] && kill -SEGV "$pid"
}
check "it is made to crash" kill_in crash
check "it is restarted at once" eventually 10 bash -c "[[ \$($paas ps -a crash --json | jq -r '.[0].id') != $first ]]"
check "and serves again" eventually 10 bash -c "[[ \$(curl -s -H 'Host: crash.localhost' http://$http/) == crash ]]"
check "the signal is in the log" logged crash "heroku\[web.1\]: .*(SIGSEGV|signal 11|status 139)"
check "again" kill_in crash
check "a second crash in a row is held back" eventually 10 has_state crash web.1 crashed
like "with its reason" "$(reason crash web.1)" "SIGSEGV|signal 11|139"
like "meanwhile H10" "$(get crash)" "H10"
check "and comes back by itself" eventually 20 has_state crash web.1 up

# ---- stop: TERM, then KILL
script stubborn <<'EOF'
trap '' TERM
./static &
while :; do wait; done
EOF
push me stubborn >/dev/null
"$paas" restart -a stubborn >/dev/null
check "an app that ignores TERM is killed after the stop time" eventually 15 logged stubborn "Error R12 \(Exit timeout\)"
check "and replaced" eventually 10 has_state stubborn web.1 up

# ---- limits
script memory <<'EOF'
[[ -e /app/index.html ]] && ./static &
sleep 0.5
perl -e '$x = "a" x 10_000_000; push @y, $x . $_ for 1..50' &
wait -n
EOF
push me memory >/dev/null 2>&1
check "out of memory is known as such" eventually 20 logged memory "R1[45]|[Mm]emory"
script forks <<'EOF'
perl -e 'for (1..100) { my $pid = fork; last unless defined $pid; if (!$pid) { sleep 1000; exit } }'
ls -d /proc/[0-9]* | wc -l >count.txt
exec ./static
EOF
push me forks >/dev/null 2>&1
n=$(get forks /count.txt)
if [[ $n =~ ^[0-9]+$ ]] && ((n > 20 && n <= 40)); then pass "processes are limited"; else fail "processes are limited" "$n"; fi

# ---- run
is "run: output and arguments" "$("$paas" run -a facts --no-tty echo 'a b' c </dev/null)" "a b c"
"$paas" run -a facts --no-tty "exit 7" </dev/null
is "run: the exit code" "$?" 7
is "run: standard input" "$(printf 'one\ntwo\n' | "$paas" run -a facts --no-tty wc -l)" 2
is "run: standard error is its own stream" "$("$paas" run -a facts --no-tty "echo err >&2; echo out" </dev/null 2>/dev/null)" out
like "run: config and name" "$("$paas" run -a facts --no-tty 'echo $DYNO $HOME $PORT.' </dev/null)" "^run\.[0-9]+ /app \.$"
is "run: over ssh with a terminal" "$(command script -qec "ssh -t -F $T/ssh.me -p $ssh_port paas@$ssh_host run -a facts -- \"'tty >/dev/null && stty size >/dev/null && echo is-a-tty; exit 5'\"; echo code=\$?" /dev/null </dev/null | tr -d '\r\b^@D' | grep -v '^Connection' | xargs)" "is-a-tty code=5"
out=$("$paas" run:detached -a facts 'echo detached says hi')
like "run detached tells its name" "$out" "run\.[0-9]+"
check "its output is in the log" eventually 10 logged facts 'app\[run\.[0-9]+\]: detached says hi'
finish
