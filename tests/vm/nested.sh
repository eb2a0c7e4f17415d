#!/bin/bash
# In a VM only: paasd where a container would have it, in a cgroup namespace whose top it is in
# itself. The top of a namespace may not hold processes and hand out controllers.
. "$(dirname "$0")/../it/lib.sh"

cat >"$T/container" <<-END
	#!/bin/bash
	umount /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup || exit
	exec "\$@"
END
chmod +x "$T/container"
# What platform_start runs: a scope of its own that systemd leaves alone, seen as a whole machine.
paasd_here=$paasd
cat >"$T/paasd" <<-END
	#!/bin/bash
	exec systemd-run -q --scope -p Delegate=yes unshare -mC "$T/container" "$paasd_here" "\$@"
END
chmod +x "$T/paasd"
paasd=$T/paasd
platform_start || bail "the platform does not start: $(cat "$T/paasd.log")"
top_of=$(readlink -f "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$paasd_pid/cgroup")/..")
is "paasd went into a leaf" "$(cat "$top_of/daemon/cgroup.procs")" "$paasd_pid"
is "the top holds nobody" "$(cat "$top_of/cgroup.procs")" ""
person me
"$paas" keys add me "$T/key.me.pub" >/dev/null
site "$T/site" contained
repo inner "$T/site"
check "a push" push me inner
is "answers" "$(get inner)" contained
web=$(find "$top_of/paas-$name" -maxdepth 1 -name 'app.*' | head -1)
is "with a memory limit" "$(cat "$web/memory.max")" 536870912
kill -HUP "$paasd_pid"
check "it survives a reload" eventually 30 "$paas" apps
is "and keeps the app" "$(get inner)" contained
finish
