#!/bin/bash
# The buildpack contract, and builds that misbehave.
. "$(dirname "$0")/lib.sh"

platform_start --build-memory 200M --build-time 8s --build-disk 300M --build-pids 60 --slug-size 20M || bail "the platform does not start"
person me
"$paas" keys add me "$T/key.me.pub" >/dev/null

# inline APP: an app that is its own buildpack; the script comes on standard input.
inline() {
	local app=$1
	"$paas" create "$app" >/dev/null || return
	"$paas" buildpacks set inline -a "$app" >/dev/null || return
	git init -q "$T/$app"
	git -C "$T/$app" remote add platform "$(url "$app")"
	mkdir -p "$T/$app/bin"
	{ echo '#!/bin/bash'; cat; } >"$T/$app/bin/compile"
	chmod +x "$T/$app/bin/compile"
	echo "web: bin/paas-static" >"$T/$app/Procfile"
	echo "$app" >"$T/$app/index.html"
	commit "$app" first
}
serve='cp /paas/bin/paas-static "$1/bin/"'

inline contract <<EOF
echo "-----> Contract"
{
	echo "build=\$1 cache=\$2 env=\$3"
	echo "secret=\$(cat "\$3/SECRET") exported=\${SECRET-none}"
	echo "stack=\$STACK version=\$SOURCE_VERSION home=\$HOME gitdir=\${GIT_DIR-none}"
	echo "count=\$(cat "\$2/count" 2>/dev/null)"
	touch /app/writable && echo "app is writable"
	id -u
} >"\$1/facts.txt"
echo x >>"\$2/count"
mkdir -p "\$1/.profile.d"
echo 'export FROM_PROFILE=yes' >"\$1/.profile.d/x.sh"
$serve
EOF
"$paas" config set SECRET=s3cret -a contract >/dev/null
printf 'ignored.txt\n/docs\n*.log\n' >"$T/contract/.slugignore"
mkdir -p "$T/contract/docs" "$T/contract/sub"
touch "$T/contract/ignored.txt" "$T/contract/docs/a" "$T/contract/sub/x.log" "$T/contract/sub/kept"
ln -s index.html "$T/contract/link.html"
cat >>"$T/contract/Procfile" <<'EOF'
env: bash -c 'echo "profile=$FROM_PROFILE"; sleep 1000'
EOF
commit contract more
out=$(push me contract)
is "a buildpack of the app's own compiles" "$?" 0
like "its output streams" "$out" "remote: -----> Contract"
like "types are listed" "$out" "Procfile declares types -> .*web"
facts=$(get contract /facts.txt)
like "ENV_DIR holds the config vars" "$facts" "secret=s3cret exported=none"
like "STACK and HOME are set, GIT_DIR is not" "$facts" "stack=[a-z0-9-]+ version=[0-9a-f]{40} home=/app gitdir=none"
like "SOURCE_VERSION is the commit" "$facts" "version=$(git -C "$T/contract" rev-parse HEAD)"
like "/app is writable in a build" "$facts" "app is writable"
like "and the user is not root" "$facts" $'\n1000$'
is "a symlink stays a symlink" "$(get contract /link.html)" contract
is ".slugignore takes files away" "$(code contract /ignored.txt)$(code contract /docs/a)$(code contract /sub/x.log)" 404404404
is "and leaves the others" "$(code contract /sub/kept)" 200
commit contract again
push me contract >/dev/null
like "CACHE_DIR lasts from build to build" "$(get contract /facts.txt)" "count=x"

# ---- what goes wrong
inline fails <<'EOF'
echo "about to fail"
exit 1
EOF
out=$(push me fails)
is "a buildpack that exits 1 rejects the push" "$?" 1
like "with its output" "$out" "remote:.*about to fail"
like "and Heroku's words" "$out" "Push rejected, failed to compile Inline app"
like "for git too" "$out" "remote rejected.*pre-receive hook declined"
refused "an app that never deployed is not cloned to something" "" test -n "$(as me git ls-remote "$(url fails)" 2>/dev/null)"

inline silent <<EOF
$serve
EOF
check "a buildpack that prints nothing deploys" push me silent

inline forks <<EOF
$serve
sleep 1000 &
setsid sleep 1000 >/dev/null 2>&1 &
EOF
check "one that forks into the background does not hang" timeout 30 env GIT_SSH_COMMAND="ssh -F $T/ssh.me" git -C "$T/forks" push -q platform master
is "and what it forked is gone" "$(pgrep -fx 'sleep 1000' | while read -r p; do [[ $(readlink /proc/$p/ns/pid) != $(readlink /proc/self/ns/pid) ]] && tr '\0' ' ' </proc/$p/cgroup | grep -o "paas-$name/build[^ ]*"; done)" ""

inline disk <<'EOF'
echo filling
head -c 900000000 /dev/zero >"$1/filler"
EOF
out=$(push me disk)
is "a full disk rejects" "$?" 1
like "naming the limit" "$out" "disk.*300|300.*disk"
inline never <<'EOF'
sleep 1000
EOF
out=$(push me never)
is "a build without end is ended" "$?" 1
like "naming the limit" "$out" "limit of 8(\.0)? s"
inline memory <<'EOF'
exec perl -e '$x = "a" x 50_000_000; push @y, $x . $_ for 1..100; print length "@y"'
EOF
out=$(push me memory)
is "a build out of memory is rejected" "$?" 1
like "naming the limit" "$out" "memory.*200|200.*memory"
inline forkbomb <<'EOF'
f() { f | f & f; }
f 2>/dev/null
sleep 3
exit 1
EOF
refused "a fork bomb is a failed build" "Push rejected" push me forkbomb
inline slug <<EOF
$serve
head -c 40000000 /dev/urandom >"\$1/big"
EOF
out=$(push me slug)
is "a slug over the limit is rejected" "$?" 1
like "naming both sizes" "$out" "20(\.0)?M"

# ---- Procfile and detection
site "$T/src.bad" x
printf 'web: bin/x\nthis is wrong\n' >"$T/src.bad/Procfile"
repo badproc "$T/src.bad"
refused "a bad line of a Procfile is named" "line 2" push me badproc
repo nothing
echo hi >"$T/nothing/README"
commit nothing first
refused "an app nobody recognises" "No default language could be detected" push me nothing
mkdir -p "$T/src.proc"
cp "$top/$B/libexec/paas/paas-static" "$T/src.proc/server"
echo "brought" >"$T/src.proc/page.html"
echo "web: ./server" >"$T/src.proc/Procfile"
repo proc "$T/src.proc"
check "an app that brings a Procfile and nothing else" push me proc
is "runs what it brought" "$(get proc /page.html)" brought
"$paas" buildpacks set nosuch -a nothing >/dev/null 2>&1
refused "an unknown buildpack is named with those there are" "nosuch|static" push me nothing
is "after all this the good app is as it was" "$(get contract)" contract

# ---- several buildpacks in order: inline, then static
inline both <<'EOF'
echo "-----> First of two"
echo "export FROM_FIRST=yes" >/dev/null
mkdir -p "$1/generated"
echo generated >"$1/generated/index.html"
EOF
rm "$T/both/Procfile"
"$paas" buildpacks set inline static -a both >/dev/null
commit both two
out=$(push me both)
is "two buildpacks run" "$?" 0
like "in order" "$(tr '\n' ' ' <<<"$out")" "First of two.*[Ss]tatic"
is "and both left their files" "$(get both /generated/)" generated

# ---- reproducible: the same commit, built by another app
"$paas" create twin >/dev/null
"$paas" buildpacks set inline static -a twin >/dev/null
check "the same commit as another app" as me git -C "$T/both" push -q "$(url twin)" master
sums=$(sha256sum "$T"/state/slugs/{both,twin}/*.tar.zst | cut -d' ' -f1)
is "packs to the same bytes" "$(sort -u <<<"$sums" | wc -l) of $(wc -l <<<"$sums")" "1 of 2"
finish
