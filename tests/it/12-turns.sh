#!/bin/bash
# Pushes to one app take turns, to different apps run side by side, and a client that leaves
# does not stop what it began.
. "$(dirname "$0")/lib.sh"

platform_start || bail "the platform does not start"
person me
"$paas" keys add me "$T/key.me.pub" >/dev/null

# An app whose build takes its time while the file "wait" is in its tree.
gate_app() { # APP TEXT
	mkdir -p "$T/src.$1/bin"
	cat >"$T/src.$1/bin/compile" <<-'EOF'
		#!/bin/bash
		echo "-----> Waiting at the gate"
		if [[ -e $1/wait ]]; then
			sleep 6
		fi
		cp /paas/bin/paas-static "$1/bin/"
	EOF
	chmod +x "$T/src.$1/bin/compile"
	echo "web: bin/paas-static" >"$T/src.$1/Procfile"
	echo "$2" >"$T/src.$1/index.html"
}
gate_app one "first"
repo one "$T/src.one"
"$paas" create one >/dev/null
"$paas" buildpacks set inline -a one >/dev/null
check "the app is there" push me one
is "first is live" "$(get one)" first

# Two pushes at once: the slow one holds the turn, the other is told its place.
touch "$T/one/wait"
echo second >"$T/one/index.html"
commit one second
push me one >"$T/out.second" 2>&1 &
second=$!
eventually 20 grep -q "Waiting at the gate" "$T/out.second"
git clone -q "$T/one" "$T/other"
git -C "$T/other" remote add platform "$(url one)"
rm "$T/other/wait"
echo third >"$T/other/index.html"
git -C "$T/other" add -A
git -C "$T/other" commit -q -m third
as me git -C "$T/other" push platform master >"$T/out.third" 2>&1 &
third=$!
check "the second pusher is told to wait" eventually 20 grep -qi "before yours" "$T/out.third"

site "$T/src.side" "beside"
repo side "$T/src.side"
check "another app's push is not held up" push me side
check "while the first is still building" kill -0 "$second"
wait "$second"
is "the first in line succeeds" "$?" 0
wait "$third"
is "and then the other" "$?" 0
is "the live release is the last push" "$(get one)" third
is "and so is the ref" "$(as me git ls-remote "$(url one)" refs/heads/master | cut -f1)" "$(git -C "$T/other" rev-parse HEAD)"

# ---- the client goes away in the middle of a build
as me git -C "$T/one" fetch -q platform
git -C "$T/one" reset -q --hard platform/master
touch "$T/one/wait"
echo fourth >"$T/one/index.html"
commit one fourth
setsid env GIT_SSH_COMMAND="ssh -F $T/ssh.me" git -C "$T/one" push platform master >"$T/out.fourth" 2>&1 &
fourth=$!
eventually 20 grep -q "Waiting at the gate" "$T/out.fourth"
kill -KILL -- "-$fourth"
wait "$fourth" 2>/dev/null
check "the build goes on without its client" eventually 30 bash -c "[[ \$(curl -s -H 'Host: one.localhost' http://$http/) == fourth ]]"
ref() { as me git ls-remote "$(url one)" refs/heads/master | cut -f1; }
check "and the ref follows" eventually 10 bash -c "[[ \$(GIT_SSH_COMMAND='ssh -F $T/ssh.me' git ls-remote $(url one) refs/heads/master | cut -f1) == $(git -C "$T/one" rev-parse HEAD) ]]"

# ---- a push that is cut half way
head -c 30000000 /dev/urandom >"$T/one/big"
commit one big
before=$(ref)
timeout -s KILL 0.7 env GIT_SSH_COMMAND="ssh -F $T/ssh.me" git -C "$T/one" push platform master >/dev/null 2>&1
echo fifth >"$T/one/index.html"
rm -f "$T/one/wait" "$T/one/big"
git -C "$T/one" reset -q --soft "$before"
commit one fifth
check "after a cut push the next one works" push me one
is "and is live" "$(get one)" fifth

# ---- a pack that is corrupt
{
	printf '%s' "00b0"
	printf '0000000000000000000000000000000000000000 1111111111111111111111111111111111111111 refs/heads/main\0 report-status'
	head -c 200 /dev/zero | tr '\0' ' '
} | head -c 176 >"$T/bad"
{
	cat "$T/bad"
	printf 0000
	printf 'PACK\0\0\0\2\0\0\0\1garbage'
} >"$T/bad.push"
timeout 30 ssh -F "$T/ssh.me" -p "$ssh_port" "paas@$ssh_host" "git-receive-pack 'one.git'" <"$T/bad.push" >"$T/bad.out" 2>&1
isnt=$?
if ((isnt != 0 && isnt != 124)) || grep -qaE 'unpack [^o]|ng |error|fatal' "$T/bad.out"; then pass "a corrupt pack is refused"; else fail "a corrupt pack is refused" "$(tr -d '\0' <"$T/bad.out")"; fi
is "and changed nothing" "$(get one)" fifth

# ---- every push leaves a pack; they are gathered now and then
for i in {1..21}; do
	echo "$i" >"$T/side/index.html"
	commit side "$i"
	push me side >"$T/out.side" || cat "$T/out.side"
done
packs=("$T"/state/repos/side.git/objects/pack/*.pack)
if ((${#packs[@]} < 10)); then pass "packs are gathered"; else fail "packs are gathered" "${#packs[@]} packs"; fi
check "and nothing is lost" as me git clone -q "$(url side)" "$T/side.clone"
is "of the history" "$(git -C "$T/side.clone" rev-list --count HEAD)" 22
is "or the site" "$(get side)" 21
finish
