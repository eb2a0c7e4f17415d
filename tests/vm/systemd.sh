#!/bin/bash
# In a VM only: the unit file, cgroup v2 as systemd has it, sd_notify, reload, a crash, stop, and a
# loopback resolver. Installs into /usr/local as `make install` does.
. "$(dirname "$0")/../it/lib.sh"

[[ $(stat -fc %T /sys/fs/cgroup) == cgroup2fs ]] || bail "this host has no pure cgroup v2"
version=$(systemctl --version | awk 'NR == 1 {print $2}')
echo "# Linux $(uname -r), systemd $version"
install -d /usr/local/bin /usr/local/sbin /usr/local/libexec/paas /etc/paas
cp "$top/build/bin/paas" /usr/local/bin/
cp "$top/build/bin/paasd" /usr/local/sbin/
cp -r "$top/build/libexec/paas/." /usr/local/libexec/paas/
sed 's,/usr/sbin/,/usr/local/sbin/,' "$top/systemd/paasd.service" >/etc/systemd/system/paasd.service
install -d /etc/sysusers.d /etc/tmpfiles.d
install -m 644 "$top/systemd/paas.sysusers" /etc/sysusers.d/paas.conf
install -m 644 "$top/systemd/paas.tmpfiles" /etc/tmpfiles.d/paas.conf
is "systemd-sysusers takes the users" "$(systemd-sysusers /etc/sysusers.d/paas.conf 2>&1 | grep -v ^Creating)" ""
is "systemd-tmpfiles the directories" "$(systemd-tmpfiles --create /etc/tmpfiles.d/paas.conf 2>&1)" ""
cat >/etc/paas/paas.conf <<-END
	http = 127.0.0.1:8080
	ssh = 127.0.0.1:2222
	domain = localhost
END
journal() { ((n_failed)) && journalctl -u paasd -o cat --no-pager | tail -n 60 | sed 's/^/# /'; cleanup; }
trap journal EXIT

# systemd-resolved is not needed for what it leaves: a stub on loopback and the real servers.
mkdir -p /run/systemd/resolve
printf 'nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch .\n' >/run/systemd/resolve/stub-resolv.conf
printf 'nameserver 192.0.2.53\nnameserver 192.0.2.54\nsearch example.org\n' >/run/systemd/resolve/resolv.conf
ln -sf /run/systemd/resolve/stub-resolv.conf /etc/resolv.conf

systemctl daemon-reload
main_pid() { systemctl show -p MainPID --value paasd; }
check "systemctl start waits until it serves" systemctl start paasd
is "and it does" "$(systemctl is-active paasd)" active
is "systemd was told so" "$(systemctl show -p StatusText --value paasd)" Serving
export PAAS_SOCKET=/run/paas/control.sock
paas=/usr/local/bin/paas http=127.0.0.1:8080 ssh=127.0.0.1:2222 ssh_host=127.0.0.1 ssh_port=2222
person me
check "a key" "$paas" keys add me "$T/key.me.pub"

mkdir -p "$T/src/bin"
cp /usr/local/libexec/paas/paas-static "$T/src/server"
echo v2 >"$T/src/index.html"
printf 'web: ./server\nworker: exec sleep 100000\n' >"$T/src/Procfile"
# The build tells which cgroup it is in by its limits.
cat >"$T/src/bin/compile" <<-'END'
	#!/bin/bash
	cd /sys/fs/cgroup && for f in cpu.weight memory.max pids.max; do echo "build $f=$(cat $f)"; done
END
chmod +x "$T/src/bin/compile"
"$paas" create two >/dev/null
"$paas" buildpacks set inline -a two >/dev/null
repo two "$T/src"
out=$(push me two)
is "a push" "$?" 0 || echo "$out"
is "answers" "$(get two)" v2
like "a build has the least CPU weight" "$out" "build cpu.weight=25"
like "and limits of its own" "$out" "build memory.max=2147483648"
"$paas" scale worker=1 -a two >/dev/null
check "a worker" eventually 30 bash -c "$paas ps -a two --json | jq -e '.[] | select(.name == \"worker.1\" and .state == \"up\")'"

# ---- where it lives: below the unit where systemd knows DelegateSubgroup (254), else at the top
unit=$(systemctl show -p ControlGroup --value paasd)
if ((${version%%[!0-9]*} >= 254)); then
	register=/sys/fs/cgroup$unit/paas-paas
	is "paasd is in the unit's leaf" "$(cat "/proc/$(main_pid)/cgroup")" "0::$unit/daemon"
else
	register=/sys/fs/cgroup/paas-paas
	is "paasd is in the unit's cgroup" "$(cat "/proc/$(main_pid)/cgroup")" "0::$unit"
fi
check "the register is there" test -d "$register"
cgroup_of() { # DYNO: the cgroup of an instance
	find "$register" -mindepth 1 -maxdepth 1 -name "app.*$1*" | head -1
}
webs=$(cgroup_of web) workers=$(cgroup_of worker)
value() { cat "$1/$2" 2>&1; }
is "an instance has a memory limit" "$(value "$webs" memory.max)" 536870912
is "without swap" "$(value "$webs" memory.swap.max)" 0
is "one of processes" "$(value "$webs" pids.max)" 256
is "a weight as a web" "$(value "$webs" cpu.weight)" 200
is "a lower one as a worker" "$(value "$workers" cpu.weight)" 100
like "its peak is known" "$(value "$webs" memory.peak)" "^[1-9][0-9]+$"
check "it can be killed as a whole" test -e "$webs/cgroup.kill"
is "a one-off sees its limits and lower weight inside" \
	"$("$paas" run -a two --no-tty 'cd /sys/fs/cgroup; cat memory.max pids.max cpu.weight | xargs' </dev/null)" "536870912 256 50"
is "and cannot change them" \
	"$("$paas" run -a two --no-tty 'echo max >/sys/fs/cgroup/memory.max; echo $?' </dev/null 2>/dev/null)" 1
is "nor see others" "$("$paas" run -a two --no-tty 'cat /proc/self/cgroup; ls -d /sys/fs/cgroup/*/' </dev/null 2>/dev/null)" "0::/"

# ---- names are asked of the real servers, not of the host's loopback
resolv=$("$paas" run -a two --no-tty 'cat /etc/resolv.conf' </dev/null)
like "DNS: the upstream servers" "$resolv" $'nameserver 192.0.2.53\nnameserver 192.0.2.54'
unlike "DNS: not the stub" "$resolv" "127.0.0.53|trust-ad"
# Then the host's resolver becomes one that is only on its loopback: it is forwarded to.
python3 - <<-'END' &
	import socket
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	s.bind(("127.0.0.1", 53))
	while True:
	    q, peer = s.recvfrom(512)
	    end = q.index(0, 12) + 5
	    is_a = q[end - 4:end - 2] == b"\0\1"
	    answer = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\x50" if is_a else b""
	    s.sendto(q[:2] + b"\x81\x80\0\1" + bytes([0, is_a]) + b"\0\0\0\0" + q[12:end] + answer, peer)
END
dns=$!
check "DNS: a server on loopback" eventually 10 bash -c "ss -Hlun | grep -F 127.0.0.1:53"
rm -r /etc/resolv.conf /run/systemd/resolve
echo "nameserver 127.0.0.1" >/etc/resolv.conf
is "DNS: a resolver on loopback answers" "$("$paas" run -a two --no-tty 'getent ahostsv4 some.name.test' </dev/null | awk '{print $1; exit}')" 192.0.2.80
is "and nothing else there does" "$("$paas" run -a two --no-tty \
	'ip=$(awk "{print \$2; exit}" /etc/resolv.conf); curl -s -m 3 -o /dev/null "http://$ip:8080/"; echo $?; curl -s -m 3 -o /dev/null http://127.0.0.1:8080/; echo $?' </dev/null | xargs)" "7 7"
kill "$dns"

# ---- reload, crash, stop
everyone() { for d in "$register"/app.*; do cat "$d/cgroup.procs"; done | sort -n | xargs; }
pids=$(everyone) pid=$(main_pid)
unlike "instances have processes" "$pids" '^$'
check "systemctl reload" systemctl reload paasd
check "the API is there after it" eventually 30 "$paas" apps
is "in the same process" "$(main_pid)" "$pid"
is "which is active" "$(systemctl is-active paasd)" active
is "apps kept their pids" "$(everyone)" "$pids"
is "and answer" "$(get two)" v2
check "kill -9 of paasd" kill -9 "$pid"
is "apps kept their pids without it" "$(everyone)" "$pids"
is "and answer" "$(get two)" v2
restarted() { [[ $(systemctl is-active paasd) == active && $(main_pid) != "$pid" ]] && "$paas" apps; }
check "systemd starts it again" eventually 30 restarted
is "apps kept their pids" "$(everyone)" "$pids"
is "and answer" "$(get two)" v2
both_up() { [[ $("$paas" ps -a two --json | jq '[.[] | select(.state == "up")] | length') == 2 ]]; }
check "control knows them" eventually 30 both_up
# Killed again as soon as it is there, wherever in its start that is.
next_pid() { local now; now=$(main_pid); [[ $now != 0 && $now != "$pid" ]]; }
for delay in 0 0.1 0.3 0.6 1 2 3; do
	pid=$(main_pid)
	kill -9 "$pid"
	eventually 30 next_pid
	sleep "$delay"
done
pid=0
check "after seven kills in a row it is there" eventually 60 restarted
is "apps kept their pids" "$(everyone)" "$pids"
check "control knows them" eventually 30 both_up
is "and answer" "$(get two)" v2
is "nothing is there twice" "$(ls -d "$register"/app.* | wc -l) $(pgrep -c paas-control) $(pgrep -c paas-logs)" "2 1 1"
check "systemctl restart" systemctl restart paasd
check "stops and starts them" eventually 30 both_up
unlike "in new processes" "$(everyone)" "^$pids$"

# ---- memory
python='python3 -c "x = bytearray(900000000); print(len(x))"'
is "more memory than allowed ends in SIGKILL" "$("$paas" run -a two --no-tty "$python" </dev/null 2>/dev/null; echo $?)" 137
check "which the log explains" eventually 10 bash -c "$paas logs -a two -n 100 | grep -E 'Error R15'"
is "the web did not notice" "$(get two)" v2

check "systemctl stop" systemctl stop paasd
is "ended well" "$(systemctl show -p Result --value paasd)" success
is "no process is left" "$(pgrep -f '/usr/local/libexec/paas|/app/server|paas-init')" ""
is "no cgroup" "$(find /sys/fs/cgroup -name paas-paas -o -path "*$unit/*" -type d)" ""
is "no mount, loop device, interface, table" "$(grep -E '/var/lib/paas|/run/paas' /proc/self/mountinfo; losetup -a; ip -o link | grep paas; nft list tables | grep paas)" ""
check "and start again: the app comes back by itself" systemctl start paasd
check "and answers" eventually 30 bash -c "[[ \$(curl -s -H 'Host: two.localhost' http://$http/) == v2 ]]"
systemctl stop paasd

# ---- systemd holds the ports
sed -e '/^Listen/d' -e 's/^\[Socket\]/&\nListenStream=127.0.0.1:8080\nListenStream=127.0.0.1:2222/' \
	"$top/systemd/paasd.socket" >/etc/systemd/system/paasd.socket
systemctl daemon-reload
check "systemctl start paasd.socket" systemctl start paasd.socket
check "a request starts the platform and is answered" eventually 30 \
	bash -c "[[ \$(curl -s -m $((60 * slow)) -H 'Host: two.localhost' http://$http/) == v2 ]]"
is "it runs" "$(systemctl is-active paasd)" active
systemctl stop paasd.socket paasd
finish
