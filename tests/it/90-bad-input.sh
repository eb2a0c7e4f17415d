#!/bin/bash
# Garbage gets a clear answer, a full disk loses nothing, kill -9 in a storm of changes neither.
. "$(dirname "$0")/lib.sh"

# The state lies on a small file system of its own, so that it can be filled.
mkdir "$T/state"
truncate -s 600M "$T/disk.img"
mke2fs -q -t ext4 "$T/disk.img"
mount -o loop "$T/disk.img" "$T/state" || bail "no loop mount"
umount_state() { umount "$T/state" 2>/dev/null || umount -l "$T/state" 2>/dev/null; }
trap 'cleanup_all' EXIT
cleanup_all() {
	local code=$?
	[[ -n $paasd_pid ]] && { kill -TERM "$paasd_pid"; kill -TERM "$paasd_pid"; wait "$paasd_pid"; paasd_pid=; } 2>/dev/null
	umount_state
	(exit $code)
	cleanup
}
platform_start --build-disk 100M --instance-disk 50M || bail "the platform does not start"
person me
"$paas" keys add me "$T/key.me.pub" >/dev/null
site "$T/site" fine
repo fine "$T/site"
check "a good app" push me fine

# ---- http
raw() { # TEXT: what the router answers to these bytes
	local fd
	exec {fd}<>"/dev/tcp/${http%:*}/${http##*:}"
	printf '%b' "$1" >&"$fd"
	timeout 5 head -c 4000 <&"$fd"
	exec {fd}<&-
}
like "garbage" "$(raw '\x16\x03\x01\x00\x00garbage\r\n\r\n' | head -1)" "^HTTP/1.1 400"
like "two lengths" "$(raw 'POST / HTTP/1.1\r\nHost: fine.localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab' | head -1)" " 400 "
like "length and chunked" "$(raw 'POST / HTTP/1.1\r\nHost: fine.localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' | head -1)" " 400 "
like "no host" "$(raw 'GET / HTTP/1.1\r\n\r\n' | head -1)" " 400 "
like "a bare newline" "$(raw 'GET / HTTP/1.1\nHost: fine.localhost\n\n' | head -1)" " 400 "
like "a head too long" "$(raw "GET /$(head -c 9000 /dev/zero | tr '\0' a) HTTP/1.1\r\nHost: fine.localhost\r\n\r\n" | head -1)" " 414 | 431 | 400 "
is "no such app" "$(code nosuch)" 404
is "the good app is fine" "$(get fine)" fine

# ---- the API socket
api() { curl -sS -m 10 --unix-socket "$control" "http://paas$1" "${@:2}"; }
like "garbage for JSON" "$(api /apps -X POST -d '{bad')" '"message"'
like "a wrong type" "$(api /apps -X POST -d '{"name": 7}')" '"message"'
like "an unknown path" "$(api /nosuch)" '"id": ?"not_found"'
like "a wrong method" "$(api /apps -X PATCH)" '"message"'
is "a body too large" "$(head -c 3000000 /dev/zero | api /apps -X POST --data-binary @- -o /dev/null -w '%{http_code}')" 413
printf 'nonsense\r\n\r\n' | timeout 5 curl -s --unix-socket "$control" telnet://paas >/dev/null 2>&1
like "and it still answers" "$(api /apps)" '"fine"'
like "another user is refused" "$(setpriv --reuid 65534 --regid 65534 --clear-groups curl -sS --unix-socket "$control" http://paas/apps 2>&1)" "denied|onnect"

# ---- a disk that is full
fill() { dd if=/dev/zero of="$T/state/filler" bs=1M status=none 2>/dev/null; }
fill
check "with a full disk the app answers" test "$(get fine)" = fine
echo "will not fit" >"$T/fine/index.html"
commit fine big
out=$(push me fine)
if (($? != 0)); then pass "a push is rejected"; else fail "a push is rejected" "$out"; fi
out=$("$paas" config set FULL=1 -a fine 2>&1)
full=$?
if ((full == 0)) || [[ -n $out ]]; then pass "a change is done or refused with a sentence"; else fail "a change says something" ""; fi
rm "$T/state/filler"
check "with room again it goes on" eventually 20 "$paas" config set ROOM=1 -a fine
((full == 0)) && is "what was acknowledged is there" "$("$paas" config get FULL -a fine)" 1
check "and the push too" push me fine
is "live" "$(get fine)" "will not fit"

# ---- kill -9 in a storm of acknowledged changes
: >"$T/acked"
storm() {
	local i
	for i in $(seq 1 400); do
		"$paas" create "storm-$i" >/dev/null 2>&1 && echo "storm-$i" >>"$T/acked"
		[[ -e $T/stop ]] && return
	done
}
storm &
storm_pid=$!
for _ in 1 2 3; do
	lines=$(wc -l <"$T/acked")
	eventually 20 bash -c "(( \$(wc -l <$T/acked) > $lines + 3 ))"
	kill -9 "$(pgrep -P "$paasd_pid" -f paas-control | head -1)"
done
eventually 20 bash -c "(( \$(wc -l <$T/acked) > $(wc -l <"$T/acked") + 3 ))"
kill -9 "$paasd_pid"
wait "$paasd_pid" 2>/dev/null
touch "$T/stop"
wait "$storm_pid"
platform_start --build-disk 100M --instance-disk 50M || bail "the platform does not start again"
"$paas" apps >"$T/there"
is "every acknowledged app is there ($(wc -l <"$T/acked") of them)" "$(grep -vxFf "$T/there" "$T/acked")" ""
is "the store is whole" "$(sqlite3 "$T/state/paas.db" 'pragma integrity_check')" ok
is "and the good app answers" "$(get fine)" "will not fit"
platform_stop
is "the platform stops cleanly" "$?" 0
check "and lets the file system go" umount "$T/state"
is "and leaves nothing behind" "$(leftovers)" ""
finish
