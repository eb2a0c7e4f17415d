#!/bin/bash
# Installs with apt what the given groups need and this machine lacks: build, run, test, lint, bench.
# A tool is looked for by command or by pkg-config, so one from elsewhere is left alone.
set -euo pipefail

table='
build|command -v gcc|gcc libc6-dev
build|command -v make|make
build|command -v pkg-config|pkg-config
build|test -e /usr/include/linux/landlock.h|linux-libc-dev
build|pkg-config --exists libgit2|libgit2-dev
build|pkg-config --exists libssh|libssh-dev
build|pkg-config --exists libarchive|libarchive-dev
build|pkg-config --exists sqlite3|libsqlite3-dev
build|pkg-config --exists libseccomp|libseccomp-dev
build|pkg-config --exists jansson|libjansson-dev
build|pkg-config --exists yaml-0.1|libyaml-dev
build|pkg-config --exists nettle|nettle-dev
run|command -v git|git
run|command -v ssh|openssh-client
run|command -v curl|curl
run|command -v nft|nftables
run|command -v mke2fs|e2fsprogs
run|command -v ip|iproute2
run|command -v useradd|passwd
run|test -e /etc/ssl/certs/ca-certificates.crt|ca-certificates
run|test -e /etc/mime.types|media-types
test|pkg-config --exists cmocka|libcmocka-dev
test|command -v node|nodejs
test|command -v npm|npm
test|test -x /usr/bin/python3|python3
test|/usr/bin/python3 -c "import venv, ensurepip"|python3-venv
test|/usr/bin/python3 -c "import flask"|python3-flask
test|/usr/bin/python3 -c "import gunicorn"|python3-gunicorn
test|command -v go|golang-go
test|command -v zstd|zstd
test|command -v sqlite3|sqlite3
test|command -v jq|jq
test|command -v pgrep|procps
test|command -v script|bsdutils
test|command -v wrk|wrk
test|test -e /usr/share/bash-completion/bash_completion|bash-completion
test|command -v zsh|zsh
lint|command -v clang|clang
lint|command -v clang-format|clang-format
lint|command -v clang-tidy|clang-tidy
lint|command -v cppcheck|cppcheck
lint|command -v shellcheck|shellcheck
lint|command -v mandoc|mandoc
bench|command -v nginx|nginx-light
bench|command -v wrk|wrk
bench|command -v bwrap|bubblewrap
bench|command -v strace|strace
bench|test -x /usr/sbin/sshd|openssh-server
'

groups=" ${*:-build run test} "
missing=()
while IFS='|' read -r group probe packages; do
	[[ -n $group && $groups == *" $group "* ]] || continue
	if ! bash -c "$probe" >/dev/null 2>&1; then
		read -ra list <<<"$packages"
		missing+=("${list[@]}")
	fi
done <<<"$table"

((${#missing[@]})) || exit 0
if ((EUID != 0)); then
	echo "make deps: root is needed to install: ${missing[*]}" >&2
	exit 1
fi
if ! command -v apt-get >/dev/null; then
	echo "make deps: this is no Debian or Ubuntu; install the equivalents of: ${missing[*]}" >&2
	exit 1
fi
echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
