#!/bin/bash
# What apps print is kept, bounded, in order, across releases and restarts, and can be followed.
. "$(dirname "$0")/lib.sh"

platform_start || bail "the platform does not start"
person me
"$paas" keys add me "$T/key.me.pub" >/dev/null
mkdir -p "$T/src"
cp "$top/$B/libexec/paas/paas-static" "$T/src/static"
cat >"$T/src/run" <<'EOF'
#!/bin/bash
echo "hello from $DYNO"
echo "to stderr" >&2
printf 'no newline at the end'
printf '\n\033[31mred\033[0m \007bell\n'
exec ./static
EOF
chmod +x "$T/src/run"
echo "web: ./run" >"$T/src/Procfile"
echo x >"$T/src/index.html"
repo talk "$T/src"
push me talk >/dev/null
log() { "$paas" logs -a talk -n 5000 "$@"; }
has() { log | grep -E "$1" >/dev/null; }
check "standard output" eventually 10 has 'app\[web.1\]: hello from web.1'
check "standard error" eventually 10 has 'app\[web.1\]: to stderr'
check "a last line without newline" eventually 10 has 'app\[web.1\]: no newline at the end'
like "each line has a time and a source" "$(log | grep hello)" "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{6}\+00:00 app\[web\.1\]: hello from web\.1$"
is "no terminal escapes" "$(log | tr -d '\n\t' | tr -d '[:print:]' | LC_ALL=C tr -d '\200-\377' | wc -c)" 0
check "the platform's lines" has 'heroku\[web.1\]: State changed from starting to up'
check "the releases" has 'app\[api\]|heroku\[api\]'
get talk "/some/path?q=1" >/dev/null
check "a line per request" eventually 5 has 'heroku\[router\]: at=info method=GET path="/some/path\?q=1" host="?talk\.localhost"? request_id=[0-9a-f-]+ fwd="127\.0\.0\.1" dyno=web\.1 connect=[0-9]+ms service=[0-9]+ms status=404 bytes=[0-9]+ protocol=http'
is "-n limits" "$("$paas" logs -a talk -n 3 | wc -l)" 3
unlike "--source app" "$(log --source app)" "heroku\["
unlike "--dyno" "$(log --dyno web.1)" "\[router\]"

# ---- follow
"$paas" logs -a talk -n 1 --tail >"$T/tail" 2>&1 &
tail=$!
eventually 5 test -s "$T/tail"
get talk "/while-following" >/dev/null
check "--tail shows what comes" eventually 10 grep -q "/while-following" "$T/tail"
"$paas" run:detached -a talk 'for i in $(seq 1 2000); do echo line-$i; done' >/dev/null
check "all of it" eventually 20 grep -q "line-2000$" "$T/tail"
is "in order, none lost" "$(grep -o ': line-[0-9]*$' "$T/tail" | cut -c3- | md5sum)" "$(seq -f 'line-%.0f' 1 2000 | md5sum)"
kill "$tail"
wait "$tail" 2>/dev/null

# ---- across releases and restarts of the platform
commit talk again
push me talk >/dev/null
check "lines of the old release are kept" has 'hello from web.1'
n=$(log | grep -c "hello from")
[[ $n -ge 2 ]] && pass "beside the new ones" || fail "beside the new ones" "$n"
platform_stop
is "the platform stops" "$?" 0
platform_start || bail "it does not start again"
check "and has the log" has 'line-2000'
check "the app came back by itself" eventually 20 bash -c "[[ \$(curl -s -H 'Host: talk.localhost' http://$http/) == x ]]"

# ---- a flood is bounded and does not stop the app
"$paas" run:detached -a talk 'yes "a line of a flood that goes on and on" | head -c 200000000; echo flood-over' >/dev/null
check "a flood of 200 MB ends" eventually 60 has 'flood-over'
size=$(du -sm "$T/state/logs/talk" | cut -f1)
if ((size <= 8)); then pass "and is kept in a bounded ring ($size MB)"; else fail "and is kept in a bounded ring" "$size MB"; fi
is "the app serves meanwhile" "$(get talk)" x
finish
