#!/bin/bash
# paas: every command, as root on the socket, over ssh, and from a clone; what it refuses, how.
. "$(dirname "$0")/lib.sh"

platform_start || bail "the platform does not start"
person me
person ci
person reader
"$paas" keys add me "$T/key.me.pub" >/dev/null
is "the first user is an admin" "$("$paas" keys --json | jq -r '.[0].role')" admin
check "a deploy key from standard input" bash -c "'$paas' keys add ci - <'$T/key.ci.pub'"
is "later users deploy" "$("$paas" keys --json | jq -r '.[] | select(.name == "ci") | .role')" deploy
refused "a private key is not taken" "private key" "$paas" keys add x "$T/key.me"
refused "a key is known once" "." "$paas" keys add other "$T/key.me.pub"
echo "no key" >"$T/nokey"
refused "nonsense is no key" "key" "$paas" keys add x "$T/nokey"
refused "a missing file" "open .*nofile" "$paas" keys add x "$T/nofile"

# ---- apps
like "create" "$("$paas" create shop)" "Creating shop\.\.\. done"
refused "a name is taken once" "shop" "$paas" create shop
for bad in Shop sh..op ../x "$(printf 'a%.0s' {1..300})" ünï 1shop -- - shop_ "a b" shop-; do
	refused "no app is called ${bad:0:20}" "." "$paas" create -- "$bad"
done
like "apps" "$("$paas" apps)" "^shop$"
is "apps --json" "$("$paas" apps --json | jq -r '.[].name')" shop
like "info" "$("$paas" info -a shop)" "Web URL: +http://shop\.localhost"
refused "an app that is not there" "nosuch" "$paas" info -a nosuch

site "$T/site" "shop one"
mkdir -p "$T/site"
repo shop "$T/site"
push me shop >/dev/null
is "it serves" "$(get shop)" "shop one"

# ---- config
like "config set" "$("$paas" config set A=1 'B=two words' -a shop)" "done, v[0-9]+"
like "heroku's spelling" "$("$paas" config:set C=3 -a shop)" "done, v"
is "config get" "$("$paas" config get B -a shop)" "two words"
like "config" "$("$paas" config -a shop)" "A: +1"
is "config --json" "$("$paas" config -a shop --json | jq -c .)" '{"A":"1","B":"two words","C":"3"}'
before=$("$paas" releases -a shop --json | jq length)
"$paas" config set A=1 -a shop >/dev/null
is "the same value makes no release" "$("$paas" releases -a shop --json | jq length)" "$before"
is "an instance sees it" "$("$paas" run --no-tty -a shop 'echo "$A $B"' </dev/null)" "1 two words"
check "config unset" "$paas" config unset C -a shop
refused "and it is gone" "no config var C" "$paas" config get C -a shop
printf '# comment\nexport D=4\nE="five five"\n\nF=a=b\n' >"$T/env"
check "config import" "$paas" config import "$T/env" -a shop
is "all of it" "$("$paas" config -a shop --json | jq -c '[.D,.E,.F]')" '["4","five five","a=b"]'
printf 'G=1\nbroken\n' >"$T/env"
refused "a bad line is named and nothing is set" "line 2" "$paas" config import "$T/env" -a shop
is "nothing" "$("$paas" config -a shop --json | jq .G)" null
refused "PORT is the platform's" "PORT" "$paas" config set PORT=1 -a shop
refused "a bad key" "." "$paas" config set 1X=1 -a shop
refused "config over the size limit" "64" bash -c "printf 'BIG=%s' \"\$(head -c 70000 /dev/zero | tr '\0' a)\" | '$paas' config import - -a shop"

# ---- releases
like "releases" "$("$paas" releases -a shop)" "Set A, B config vars"
like "who did it" "$("$paas" releases -a shop --json | jq -r '.[] | select(.description | startswith("Deploy")) | .user.email')" "^me"
echo "shop two" >"$T/shop/index.html"
commit shop two
push me shop >/dev/null
is "the second is live" "$(get shop)" "shop two"
like "rollback" "$("$paas" rollback -a shop)" "v[0-9]+"
check "brings the first back" eventually 10 bash -c "[[ \$(curl -s -H 'Host: shop.localhost' http://$http/) == 'shop one' ]]"
refused "no rollback to nowhere" "v999" "$paas" rollback v999 -a shop
refused "nor to what has no slug" "." "$paas" rollback v1 -a shop
refused "nor to a word" "no release" "$paas" rollback abc -a shop
like "releases info" "$("$paas" releases info -a shop)" "=== Release v[0-9]+"

# ---- domains
check "domains add" "$paas" domains add www.example.org -a shop
is "the app answers there" "$(curl -s -H 'Host: www.example.org' "http://$http/")" "shop one"
check "a wildcard" "$paas" domains add '*.wild.example.org' -a shop
is "answers too" "$(curl -s -H 'Host: x.wild.example.org' "http://$http/")" "shop one"
like "domains" "$("$paas" domains -a shop)" "www.example.org"
refused "a bad host" "." "$paas" domains add 'not a host' -a shop
"$paas" create other >/dev/null
refused "a host belongs to one app" "." "$paas" domains add www.example.org -a other
check "domains remove" "$paas" domains remove www.example.org -a shop
is "and it does not answer there" "$(curl -s -o /dev/null -w '%{http_code}' -H 'Host: www.example.org' "http://$http/")" 404

# ---- stop and restart
state_is() { [[ $("$paas" ps -a shop --json | jq -r '.[] | select(.name == "web.1") | .state') == "$1" ]]; }
check "stop" "$paas" stop web.1 -a shop
check "takes it down" eventually 15 state_is down
refused "an instance that is not there" "web.9" "$paas" stop web.9 -a shop
check "restart" "$paas" restart -a shop
check "brings it up" eventually 15 state_is up
refused "a type that is not there" "nosuch" "$paas" restart nosuch -a shop

# ---- roles
check "a reader" "$paas" keys add reader "$T/key.reader.pub" --role read
check "access add" "$paas" access add reader --role deploy -a other
like "access" "$("$paas" access -a other)" "reader +deploy"
check "which counts on that app" on reader config set X=1 -a other
like "a reader sees" "$(on reader apps)" "shop"
refused "but does not scale" "." on reader scale web=2 -a shop
refused "nor push" "." push reader shop
refused "nor destroy" "." on reader destroy -a shop --confirm shop
refused "a deployer does not add keys" "." bash -c "ssh -F $T/ssh.ci -p $ssh_port paas@$ssh_host keys add x - <$T/key.ci.pub"
check "a deployer scales" on ci scale web=2 -a shop
person one
check "a key for one app only" "$paas" keys add one "$T/key.one.pub" --role deploy -a other
refused "does not see another app" "." on one info -a shop
check "but its own" on one info -a other
check "access remove" "$paas" access remove one -a other
refused "and then that neither" "." on one info -a other

# ---- over ssh, and from a clone
like "ssh host scale" "$(on me scale web=1 -a shop)" "web at 1"
unset PAAS_SOCKET
export GIT_SSH_COMMAND="ssh -F $T/ssh.me"
in_clone() { (cd "$T/shop" && "$paas" "$@"); }
like "in a clone the app is known" "$(in_clone ps)" "web.1"
is "arguments travel whole" "$(in_clone run --no-tty 'echo "a  b" $((1+1))' </dev/null)" "a  b 2"
check "config set with odd characters" in_clone config set "ODD=it's \"odd\" \$HOME \\ *"
is "arrives as it is" "$(in_clone config get ODD)" "it's \"odd\" \$HOME \\ *"
ssh-keygen -q -t ed25519 -N "" -f "$T/key.new"
check "keys add from a clone" in_clone keys add local "$T/key.new.pub"
refused "the server's files are not read" "standard input" ssh -F "$T/ssh.me" -p "$ssh_port" "paas@$ssh_host" keys add evil /etc/hostname
refused "an unknown remote is said" "nosuch" in_clone ps -r nosuch
unset GIT_SSH_COMMAND
export PAAS_SOCKET=$control

# ---- help, usage, completion, manual
for c in apps create destroy info ps scale restart stop config logs releases rollback run domains keys access buildpacks version; do
	like "help $c" "$("$paas" help "$c")" "Usage: paas $c"
done
"$paas" frobnicate >/dev/null 2>&1
is "an unknown command is usage" "$?" 2
"$paas" scale --frob >/dev/null 2>&1
is "an unknown option too" "$?" 2
"$paas" ps >/dev/null 2>"$T/which"
is "and no app" "$?" 2
like "which says how to name one" "$(cat "$T/which")" "\-a APP"
like "version" "$("$paas" version)" "^paas [0-9.]+"
is "bash completes commands" "$(bash -c ". /usr/share/bash-completion/bash_completion 2>/dev/null; PATH=$top/$B/bin:\$PATH; . $top/cli/completion.bash; COMP_WORDS=(paas sca) COMP_CWORD=1; _paas; echo \${COMPREPLY[*]}")" scale
is "and apps" "$(bash -c "PATH=$top/$B/bin:\$PATH; . $top/cli/completion.bash; COMP_WORDS=(paas ps -a sh) COMP_CWORD=3; _paas; echo \${COMPREPLY[*]}")" shop
check "zsh's completion parses" zsh -n "$top/cli/completion.zsh"

# ---- destroy
refused "destroy wants the name" "nothing was destroyed" "$paas" destroy -a shop --confirm ship
refused "and asks for it" "nothing was destroyed" bash -c "echo no | '$paas' destroy -a shop"
check "destroy" bash -c "echo shop | '$paas' destroy -a shop"
check "it stops answering" eventually 10 bash -c "[[ \$(curl -s -o /dev/null -w '%{http_code}' -H 'Host: shop.localhost' http://$http/) == 404 ]]"
check "its files go" eventually 40 bash -c "! ls -d $T/state/{repos,slugs,logs,cache,disks}/shop* 2>/dev/null | grep ."
check "and the name is free again" eventually 10 "$paas" create shop
finish
