#!/bin/bash
# In a VM only, after systemd.sh: the machine dies at once, without a sync, right after a push.
# What was acknowledged is there after the next boot, and the unit brings the apps back.
. "$(dirname "$0")/../it/lib.sh"

paas=/usr/local/bin/paas http=127.0.0.1:8080 ssh=127.0.0.1:2222 ssh_host=127.0.0.1 ssh_port=2222
export PAAS_SOCKET=/run/paas/control.sock
kept=/var/lib/paas-test.reboot
up() { [[ $("$paas" ps -a "$1" --json | jq '[.[] | select(.state == "up")] | length') == "$2" ]]; }

if [[ ! -e $kept ]]; then
	systemctl -q enable paasd
	check "the platform serves" systemctl start paasd
	person you
	"$paas" keys add you "$T/key.you.pub" >/dev/null
	site "$T/site" before
	repo boot "$T/site"
	check "a push" push you boot
	mkdir "$kept"
	cp "$T"/key.you* "$kept/"
	cp -r "$T/boot" "$kept/"
	sync
	# From here on nothing is written for the test's own sake.
	echo after >"$T/boot/index.html"
	commit boot after
	check "a second push" push you boot
	check "a config var" "$paas" config set ACK=1 -a boot
	check "scaled" "$paas" scale web=2 -a boot
	is "it answers" "$(get boot)" after
	# What is said above has to reach the console first.
	python3 -c 'import termios; termios.tcdrain(1)'
	echo b >/proc/sysrq-trigger
	sleep 600
	bail "the machine did not die"
fi

check "the platform comes back with the machine" eventually 60 systemctl is-active -q paasd
check "with both instances" eventually 60 up boot 2
is "of the release that was acknowledged last" "$(get boot)" after
is "with its config" "$("$paas" config get ACK -a boot)" 1
is "the current release is whole" "$("$paas" releases -a boot --json | jq -r '.[] | select(.current) | .status')" succeeded
is "the store too" "$(sqlite3 /var/lib/paas/paas.db 'pragma integrity_check')" ok
is "nothing of before is in the register" "$(find /sys/fs/cgroup -path '*/paas-paas/app.*' -maxdepth 6 -type d | wc -l)" \
	"$("$paas" apps --json | jq -r '.[].name' | while read -r app; do "$paas" ps -a "$app" --json | jq length; done | awk '{n += $1} END {print n}')"
# A person with an old clone: the ref moved on with the push that was acknowledged.
cp "$kept"/key.you* "$T/"
person you >/dev/null 2>&1 </dev/null
cp -r "$kept/boot" "$T/boot"
check "a fetch" as you git -C "$T/boot" fetch -q platform
is "has what was pushed last" "$(git -C "$T/boot" show platform/master:index.html)" after
git -C "$T/boot" reset -q --hard platform/master
echo later >"$T/boot/index.html"
commit boot later
check "a push on top of it" push you boot
is "is live" "$(get boot)" later
check "the repository is whole" git -C /var/lib/paas/repos/boot.git -c safe.directory='*' fsck --full --no-dangling
check "systemctl stop" systemctl stop paasd
systemctl -q disable paasd
finish
