#!/bin/bash
# A push builds, starts and answers; what is refused is refused with a sentence.
. "$(dirname "$0")/lib.sh"

platform_start || bail "the platform does not start: $(tail -n 5 "$T/paasd.log")"
like "one ready line" "$ready" "^ready http=127\.0\.0\.1:[0-9]+ ssh=127\.0\.0\.1:[0-9]+ control=/.*control\.sock$"
person me
check "root adds the first key" "$paas" keys add me "$T/key.me.pub"

site "$T/site" "hello one"
repo hello "$T/site"
out=$(push me hello)
is "the push succeeds" "$?" 0
like "the transcript names the buildpack" "$out" "remote: -----> .*[Ss]tatic.* app detected"
like "and the release" "$out" "remote:        Released v[0-9]+"
like "and where it answers" "$out" "deployed to"
is "the app answers as soon as git is done" "$(get hello)" "hello one"

out=$(push me hello)
like "the same commit again changes nothing" "$out" "Everything up-to-date"

echo "hello two" >"$T/hello/index.html"
commit hello two
check "a second push" push me hello
is "serves the new release" "$(get hello)" "hello two"

check "clone works" as me git clone -q "$(url hello)" "$T/clone"
is "and brings the same commit" "$(git -C "$T/clone" rev-parse HEAD)" "$(git -C "$T/hello" rev-parse HEAD)"

# ---- a shallow clone
as me git clone -q --depth 1 "$(url hello)" "$T/shallow" 2>/dev/null
echo "from shallow" >"$T/shallow/index.html"
git -C "$T/shallow" commit -qam shallow
out=$(as me git -C "$T/shallow" push origin master 2>&1)
is "a push from a shallow clone succeeds" "$?" 0
is "and is live" "$(get hello)" "from shallow"
git clone -q --depth 1 "file://$T/shallow" "$T/shallower"
git -C "$T/shallower" remote add platform "$(url fresh)"
out=$(as me git -C "$T/shallower" push platform master 2>&1)
is "a shallow clone makes a new app too" "$?" 0
is "which answers" "$(get fresh)" "from shallow"

# ---- branches
git -C "$T/hello" fetch -q platform 2>/dev/null || as me git -C "$T/hello" fetch -q platform
as me git -C "$T/hello" reset -q --hard platform/master
git -C "$T/hello" checkout -q -b feature
commit hello feature
before=$(get hello)
refused "another branch is refused" "git push platform feature:master" push me hello feature
check "but its refspec to master deploys" push me hello feature:master
refused "deleting is refused" "[Dd]elet" push me hello :master
out=$(push me hello feature:master feature:refs/heads/other)
like "of several refs the other one is refused" "$out" "rejected.*(feature -> other|other)"
git -C "$T/hello" tag -f v-one >/dev/null
check "a tag is stored" push me hello v-one
like "and fetched again" "$(as me git ls-remote "$(url hello)" 2>&1)" "refs/tags/v-one"
is "the site is as it was before all that" "$(get hello)" "$before"

# ---- early refusal: nothing of a big pack travels
head -c 60000000 /dev/urandom >"$T/hello/big"
commit hello big
start=$(date +%s%N)
refused "a big push of a wrong branch is refused" "feature" push me hello feature:wrong
took=$((($(date +%s%N) - start) / 1000000))
echo "# refused after $took ms with 60 MB pending"
finish
