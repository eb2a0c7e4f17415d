#!/bin/bash
# In a VM only: the unit file, cgroup v2 under Delegate, sd_notify, reload, stop and reboot-like
# death. Installs into /usr/local as `make install` does.
. "$(dirname "$0")/../it/lib.sh"

[[ $(stat -fc %T /sys/fs/cgroup) == cgroup2fs ]] || bail "this host has no pure cgroup v2"
install -d /usr/local/bin /usr/local/sbin /usr/local/libexec/paas /etc/paas
cp "$top/build/bin/paas" /usr/local/bin/
cp "$top/build/bin/paasd" /usr/local/sbin/
cp -r "$top/build/libexec/paas/." /usr/local/libexec/paas/
cp "$top/systemd/paasd.service" /etc/systemd/system/
cat >/etc/paas/paas.conf <<-EOF
	http = 127.0.0.1:8080
	ssh = 127.0.0.1:2222
	domain = localhost
EOF
systemctl daemon-reload
check "systemctl start waits until it serves" timeout 300 systemctl start paasd
is "and it does" "$(systemctl is-active paasd)" active
export PAAS_SOCKET=/run/paas/control.sock
paas=/usr/local/bin/paas http=127.0.0.1:8080 ssh=127.0.0.1:2222 ssh_host=127.0.0.1 ssh_port=2222
person me
check "a key" "$paas" keys add me "$T/key.me.pub"
mkdir "$T/src"
cp /usr/local/libexec/paas/paas-static "$T/src/server"
echo v2 >"$T/src/index.html"
echo "web: ./server" >"$T/src/Procfile"
repo two "$T/src"
out=$(push me two)
is "a push" "$?" 0 || echo "$out"
is "answers" "$(get two)" v2
unit=$(systemctl show -p ControlGroup --value paasd)
like "instances live in the unit's delegated tree" "$(find "/sys/fs/cgroup$unit" -name 'app.*' | head -1)" "app\."
cg=$(find "/sys/fs/cgroup$unit" -name 'app.*' | head -1)
is "with a memory limit" "$(cat "$cg/memory.max")" 536870912
is "and one of processes" "$(cat "$cg/pids.max")" 256
like "and a weight" "$(cat "$cg/cpu.weight")" "^[0-9]+$"
pids=$(cat "$cg/cgroup.procs" | sort | xargs)
check "systemctl reload" systemctl reload paasd
check "the API is there after it" eventually 60 "$paas" apps
is "apps kept their pids" "$(sort "$cg/cgroup.procs" | xargs)" "$pids"
check "kill -9 of paasd" kill -9 "$(systemctl show -p MainPID --value paasd)"
check "systemd starts it again" eventually 120 bash -c '[[ $(systemctl is-active paasd) == active ]] && paas apps'
is "apps kept their pids" "$(sort "$cg/cgroup.procs" 2>/dev/null | xargs)" "$pids"
is "and answer" "$(get two)" v2
check "out of memory is enforced" bash -c "! '$paas' run -a two --no-tty 'python3 -c \"x=bytearray(900000000)\"' </dev/null"
check "systemctl stop" timeout 120 systemctl stop paasd
is "no instance is left" "$(pgrep -f /app/server)" ""
check "and start again: the app comes back by itself" timeout 300 systemctl start paasd
check "and answers" eventually 60 bash -c "[[ \$(curl -s -H 'Host: two.localhost' http://$http/) == v2 ]]"
systemctl stop paasd
finish
