#!/bin/bash
# Who gets in over ssh, and what they may ask for.
. "$(dirname "$0")/lib.sh"

platform_start || bail "the platform does not start"
person me
person old rsa
person stranger
check "an ed25519 key is added" "$paas" keys add me "$T/key.me.pub"
check "an rsa key is added" "$paas" keys add old "$T/key.old.pub"
like "ed25519 logs in" "$(on me whoami)" "^me$"
like "rsa-sha2 logs in" "$(on old whoami)" "^old$"
keys=$(ssh-keyscan -p "$ssh_port" "$ssh_host" 2>/dev/null | awk '{print $2}' | sort -u | xargs)
is "host keys are ed25519 and rsa" "$keys" "ssh-ed25519 ssh-rsa"
refused "rsa with SHA-1 signatures is no longer spoken" "" \
	ssh -F "$T/ssh.old" -o PubkeyAcceptedAlgorithms=ssh-rsa -p "$ssh_port" "paas@$ssh_host" whoami

# Clients say what a server tells them before login unless they are told to be quiet.
talking=(-o LogLevel=INFO -o BatchMode=no)
known=$(ssh -F "$T/ssh.stranger" "${talking[@]}" -p "$ssh_port" "paas@$ssh_host" whoami 2>&1 </dev/null)
like "an unknown key is told what to do" "$known" "keys add"
nobody=$(ssh -F "$T/ssh.me" "${talking[@]}" -p "$ssh_port" "root@$ssh_host" whoami 2>&1 </dev/null)
like "so is an unknown user name" "$nobody" "keys add"
is "in the same words" "$(sed 's/name is root/name is paas/; s/root@/paas@/; s/^paas@[^:]*: //' <<<"$nobody" | sed 's/SHA256:[^,]*//' | grep -v Permission)" \
	"$(sed 's/^paas@[^:]*: //' <<<"$known" | sed 's/SHA256:[^,]*//' | grep -v Permission)"
out=$(ssh -F "$T/ssh.stranger" "${talking[@]}" -o PreferredAuthentications=password,keyboard-interactive -p "$ssh_port" "paas@$ssh_host" x 2>&1 </dev/null)
is "without a key there is no way in" "$?" 255
unlike "and no password is asked for" "$out" "[Pp]assword:"

refused "no shell" "[Ss]hell" on me
refused "no sftp" "" sftp -F "$T/ssh.me" -P "$ssh_port" "paas@$ssh_host"
out=$(ssh -F "$T/ssh.me" -p "$ssh_port" -W 127.0.0.1:22 "paas@$ssh_host" 2>&1 </dev/null)
is "no forwarding through the platform" "$?" 255
out=$(ssh -F "$T/ssh.me" -o ExitOnForwardFailure=yes -R 0:127.0.0.1:1 -p "$ssh_port" "paas@$ssh_host" whoami 2>&1)
unlike "nor back" "$out" "Allocated port"
is "the environment of the client is declined silently" \
	"$(LANG=de_DE.UTF-8 FOO=bar ssh -F "$T/ssh.me" -o SendEnv='LANG FOO' -p "$ssh_port" "paas@$ssh_host" whoami 2>&1)" "me"

# ---- names that play tricks
for trick in "git-receive-pack '../../etc'" "git-receive-pack '/../x.git'" "git-receive-pack 'a/b.git'" \
	"git-receive-pack \$(id)" "git-receive-pack '\`id\`'" "git-upload-pack 'x'; id" "git-receive-pack ''" \
	"git-receive-pack '-x'" "git-receive-pack 'a' 'b'" "git-receive-pack 'Hello'" "git-receive-pack 'h\"'" \
	"git-receive-pack '$(printf 'a%.0s' {1..300})'" "git-receive-pack $'a\nb'" "git-receive-pack 'ünï'" \
	"git-receive-pack '~root/x'" "git-upload-archive 'x'" "git-receive-pack '/etc/passwd'" "scp -t /" "bash" "ls; id"; do
	out=$(on me "$trick" </dev/null 2>&1)
	code=$?
	if ((code == 0 || code >= 128)) || [[ $out == *uid=* || -z $out ]]; then
		fail "refused: $trick" "exit $code: $out"
	else
		pass "refused: ${trick:0:50}"
	fi
done
is "and none of them made an app" "$("$paas" apps --json | jq length)" 0

for form in "'plain.git'" "'/plain.git'" "plain" "/plain"; do
	out=$(printf 0000 | on me "git-receive-pack $form" 2>&1 | tr -d '\0')
	like "git-receive-pack $form is the app plain" "$out" "capabilities\^\{\}|report-status"
done
is "and it is one app" "$("$paas" apps)" "plain"

# ---- bytes that are no ssh
head -c 100000 /dev/urandom | timeout 20 bash -c "cat >/dev/tcp/$ssh_host/$ssh_port" 2>/dev/null
printf 'GET / HTTP/1.1\r\n\r\n' | timeout 20 bash -c "cat >/dev/tcp/$ssh_host/$ssh_port" 2>/dev/null
for _ in {1..20}; do
	exec {hold}<>"/dev/tcp/$ssh_host/$ssh_port"
	eval "exec $hold>&-"
done
# Each of them counts as a login until its session has seen the end.
logs_in() { [[ $(on me whoami) == me ]]; }
check "garbage does not disturb the next login" eventually 20 logs_in
finish
