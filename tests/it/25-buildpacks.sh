#!/bin/bash
# The buildpacks by themselves: detect, compile and release on directories, with the runtimes of this
# machine and without, and no platform around them.
# shellcheck source=tests/it/lib.sh
. "$(dirname "$0")/lib.sh"

packs=$top/$B/libexec/paas/buildpacks
export PATH=/usr/local/bin:/usr/bin:/bin PAAS_PROGRAMS=$top/$B/libexec/paas STACK=heroku-24
unset NODE_ENV PIP_INDEX_URL PIP_FIND_LINKS

# fresh PACK [FROM]: $app is a new build directory, $pack a writable copy of the buildpack; cache
# and config vars stay until `forget`.
fresh() {
	pack=$T/pack app=$T/build
	rm -rf "$pack" "$app" "${T:?}/home"
	mkdir -p "$app" "$T/cache" "$T/env" "${T:?}/home"
	cp -R "$packs/$1" "$pack"
	[[ -z ${2:-} ]] || cp -a "$2/." "$app/"
}
forget() { rm -rf "$T/cache" "$T/env"; }
detect() { "$packs/$1/bin/detect" "$app"; }
compile() { (cd "$app" && HOME=$T/home TMPDIR=$T "$pack/bin/compile" "$app" "$T/cache" "$T/env" 2>&1); }
release() { "$pack/bin/release" "$app"; }
# The app as it runs: moved to where HOME is, its profile sourced; prints what / answers
answer() { # COMMAND
	local port pid
	port=$((20000 + RANDOM % 10000))
	rm -rf "${T:?}/home" && cp -a "$app" "${T:?}/home"
	# A session of its own, since npm does not pass the signal on.
	HOME=$T/home PORT=$port setsid bash -c '
		cd "$HOME" || exit
		for f in .profile.d/*.sh; do
			[[ ! -f $f ]] || . "$f"
		done
		eval "exec $1"' bash "$1" >"$T/run.log" 2>&1 &
	pid=$!
	eventually 20 curl -sf -o /dev/null "http://127.0.0.1:$port/" || cat "$T/run.log"
	curl -s "http://127.0.0.1:$port/"
	kill -KILL -- "-$pid"
	wait "$pid" 2>/dev/null
}
# A PATH with the usual tools, but without some
without() { # NAME...
	local dir=$T/path name
	rm -rf "$dir" && mkdir "$dir"
	for name in bash cat cp cut dirname env find grep head ln mkdir mktemp mv printf rm sed sha256sum sort tail tr node npm python3 go gcc; do
		[[ " $* " == *" $name "* ]] || ln -s "$(command -v "$name")" "$dir/$name"
	done
	echo "$dir"
}

# ---- detect ---------------------------------------------------------------------------------------

seen() { # FILE...: which buildpacks take an app with these files
	local f p
	fresh procfile
	for f in "$@"; do
		mkdir -p "$(dirname "$app/$f")" && : >"$app/$f"
	done
	for p in nodejs python go static procfile; do
		! detect "$p" >/dev/null || printf '%s ' "$p"
	done
}
is "package.json is Node.js" "$(seen package.json)" "nodejs "
is "requirements.txt is Python" "$(seen requirements.txt)" "python "
is "so are pyproject.toml, Pipfile and manage.py" "$(seen pyproject.toml)$(seen Pipfile)$(seen manage.py)" "python python python "
is "go.mod is Go" "$(seen go.mod)" "go "
is "index.html is static" "$(seen index.html)$(seen public/index.html)$(seen static.json)" "static static static "
is "a Procfile alone is procfile" "$(seen Procfile)" "procfile "
is "a README is nothing" "$(seen README)" ""
fresh static && touch "$app/index.html" && echo "web: ./x" >"$app/Procfile"
check "index.html beside a web process is not static" test "$(detect static)$(detect procfile)" = Procfile
echo "worker: ./x" >"$app/Procfile"
is "beside a worker it is" "$(detect static)" Static

# ---- the examples -----------------------------------------------------------------------------------

for example in nodejs python go static procfile; do
	fresh "$example" "$examples/$example/example"
	check "the example of $example is detected" detect "$example"
	out=$(compile)
	is "and compiles" "$?" 0 || sed 's/^/# /' <<<"$out"
	command=$(sed -n 's/^web: *//p' "$app/Procfile" 2>/dev/null)
	[[ -n $command ]] || command=$(release | sed -n "s/^  web: '\\?\\([^']*\\)'\\?$/\\1/p")
	like "and answers" "$(answer "$command")" "Hello from|It works"
done
forget

# ---- nodejs -----------------------------------------------------------------------------------------

package() { fresh nodejs && cat >"$app/package.json"; }
package <<<'{"engines":{"node":"<4"}}'
out=$(compile)
is "an engine that is not there fails" "$?" 1
like "naming both" "$out" "asks for Node.js <4 .*the stack has Node.js $(node -p process.versions.node)"
package <<<'{"engines":{"node":"latest please"}}'
like "a range that is none is named" "$(compile)" "is no version range: \"latest please\""
package <<<'{"name": oops}'
like "broken JSON is named" "$(compile)" "package.json is no valid JSON"
package <<<'[]'
like "and JSON that is no object" "$(compile)" "package.json is no JSON object"
package <<<'{}' && touch "$app/yarn.lock" "$app/package-lock.json"
like "two lock files are refused" "$(compile)" "several package managers: package-lock.json yarn.lock"
package <<<'{}' && touch "$app/pnpm-lock.yaml"
command -v pnpm >/dev/null || like "pnpm without pnpm" "$(compile)" "has a pnpm-lock.yaml, but pnpm is not on this server's stack"
package <<<'{}'
like "without node the package is named" "$(PATH=$(without node) compile)" "apt install nodejs npm"
like "and without npm" "$(PATH=$(without npm) compile)" "apt install npm"
package <<<'{"scripts":{"build":"echo NODE_ENV is $NODE_ENV, SECRET is $SECRET; exit 3"}}'
mkdir -p "$T/env" && echo -n s3cret >"$T/env/SECRET" && echo -n /nowhere >"$T/env/PATH"
out=$(compile)
is "a build script that fails fails the build" "$?" 1
like "config vars reach it" "$out" "NODE_ENV is production, SECRET is s3cret"
like "and it is named" "$out" "The script \"build\" of package.json failed"
rm -r "$T/env"
package <<<'{"scripts":{"heroku-prebuild":"echo one","heroku-postbuild":"echo two","build":"echo three","heroku-cleanup":"echo four"}}'
out=$(compile | tr '\n' ' ')
like "Heroku's scripts run in order" "$out" " one .* two .* four "
unlike "and postbuild takes the place of build" "$out" "three"
is "without start there is no web process" "$(release)" "--- {}"

# A dependency that lies in the app needs no registry; dev ones go away.
package <<'JSON'
{"name":"a","version":"1.0.0","dependencies":{"kept":"file:lib/kept"},"devDependencies":{"dev":"file:lib/dev"},
 "scripts":{"start":"node s.js","build":"node -e \"require('dev'); require('kept')\""}}
JSON
for d in kept dev; do
	mkdir -p "$app/lib/$d" && echo "{\"name\":\"$d\",\"version\":\"1.0.0\"}" >"$app/lib/$d/package.json" &&
		echo "module.exports = 1" >"$app/lib/$d/index.js"
done
out=$(compile)
is "dependencies are installed" "$?" 0
check "the real ones stay" test -e "$app/node_modules/kept"
refused "dev ones do not" "" test -e "$app/node_modules/dev"
like "npm start is the web process" "$(release)" "web: npm start"
like "node_modules/.bin comes into PATH" "$(cat "$app/.profile.d/nodejs.sh")" 'node_modules/.bin:\$PATH'

# With a lock file npm ci runs once; the tree is taken from the cache while the file is the same.
forget
locked() {
	package <<<'{"name":"a","version":"1.0.0"}'
	echo '{"name":"a","version":"1.0.0","lockfileVersion":3,"requires":true,"packages":{"":{"name":"a","version":"1.0.0"}}}' >"$app/package-lock.json"
}
locked
like "a lock file means npm ci" "$(compile)" "npm ci"
if (package <<<'{"name":"a","version":"1.0.0","dependencies":{"ms":"2.1.3"}}' &&
	cd "$app" && npm install --package-lock-only --no-audit --no-fund) >/dev/null 2>&1; then
	app=$T/build pack=$T/pack
	cp "$app"/*.json "$T/"
	like "dependencies come from the registry" "$(compile)" "npm ci"
	check "they are there" test -e "$app/node_modules/ms/package.json"
	fresh nodejs && mv "$T"/*.json "$app/"
	like "the next build takes them from the cache" "$(compile)" "Using node_modules of the last build \(package-lock.json is unchanged\)"
	check "all of them" test -e "$app/node_modules/ms/package.json"
	echo '{"name":"a","version":"1.0.1","dependencies":{"ms":"2.1.3"}}' >"$T/package.json"
	cp "$app/package-lock.json" "$T/" && fresh nodejs && mv "$T"/*.json "$app/"
	like "but not for another package.json" "$(compile)" "npm ci"
else
	fail "the npm registry answers" "npm install failed"
fi
package <<<'{"name":"a","dependencies":{"x":"1"}}' && echo '{"lockfileVersion":3,"packages":{"":{"name":"a"}}}' >"$app/package-lock.json"
out=$(compile)
is "a lock file that does not agree fails" "$?" 1
like "with npm's words" "$out" "npm ci.*The dependencies could not be installed"
fresh nodejs && echo '{' >"$app/package-lock.json" && echo '{}' >"$app/package.json"
like "a broken lock file is named" "$(compile)" "package-lock.json is no valid JSON"
forget

# ---- python -----------------------------------------------------------------------------------------

have=$(/usr/bin/python3 -c 'import platform; print(platform.python_version())')
fresh python && echo "python-2.7.18" >"$app/runtime.txt"
out=$(compile)
is "a Python that is not there fails" "$?" 1
like "naming both" "$out" "asks for Python 2.7.18 \(runtime.txt\), but the stack has Python $have"
fresh python && echo "three" >"$app/.python-version"
like "a version that is none is named" "$(compile)" ".python-version names no Python version: \"three\""
fresh python && echo "${have%.*}" >"$app/.python-version"
check "the stack's series is fine" compile
fresh python && touch "$app/Pipfile"
like "a Pipfile without lock" "$(compile)" "no Pipfile.lock"
fresh python && touch "$app/poetry.lock"
command -v poetry >/dev/null || like "poetry without poetry" "$(compile)" "poetry is not on this server's stack"
fresh python && touch "$app/requirements.txt"
like "without Python the package is named" "$(PATH=$(without python3) compile)" "apt install python3 python3-venv"

wheel() { # NAME VERSION DIRECTORY: a wheel with NAME.WORD and a script
	local dir=$T/wheel
	rm -rf "$dir" && mkdir -p "$dir/$1" "$dir/$1-$2.dist-info" "$3"
	printf 'WORD = "%s %s"\ndef main():\n    print(WORD)\n' "$1" "$2" >"$dir/$1/__init__.py"
	printf 'Metadata-Version: 2.1\nName: %s\nVersion: %s\n' "$1" "$2" >"$dir/$1-$2.dist-info/METADATA"
	printf 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n' >"$dir/$1-$2.dist-info/WHEEL"
	printf '[console_scripts]\n%s-tool = %s:main\n' "$1" "$1" >"$dir/$1-$2.dist-info/entry_points.txt"
	: >"$dir/$1-$2.dist-info/RECORD"
	(cd "$dir" && /usr/bin/python3 -m zipfile -c "$3/$1-$2-py3-none-any.whl" "$1" "$1-$2.dist-info")
}
runs() { # COMMAND: its output in the app as it runs
	rm -rf "${T:?}/home" && cp -a "$app" "${T:?}/home"
	(
		export HOME=$T/home
		cd "$HOME" || exit
		# shellcheck disable=SC1091
		. .profile.d/python.sh
		eval "$1"
	)
}
wheels_app() { fresh python && wheel tiny "$1" "$app/wheels" && echo "tiny==$1" >"$app/requirements.txt"; }
wheels_app 1.0
out=$(compile)
is "a wheels folder is enough" "$?" 0
like "without the index" "$out" "Everything needed is in wheels/"
is "its packages import" "$(runs 'python -c "import tiny; print(tiny.WORD)"')" "tiny 1.0"
is "its scripts run where the app runs" "$(runs tiny-tool)" "tiny 1.0"
is "and name that place" "$(head -n 1 "$app/.paas/venv/bin/tiny-tool")" "#!$T/home/.paas/venv/bin/python"
is "modules come compiled, and are not checked against times" "$(find "$app/.paas/venv/lib" -path '*/tiny/__pycache__/*.pyc' -exec od -An -j4 -N1 -td1 {} + | tr -d ' ')" 1
cp -a "$app/wheels" "$T/wheels.kept"
wheels_app 1.0 && rm -r "$app/wheels" && cp -a "$T/wheels.kept" "$app/wheels"
like "the same list takes the packages of the last build" "$(compile)" "Using the packages of the last build"
is "which run too" "$(runs tiny-tool)" "tiny 1.0"
wheels_app 2.0
unlike "another list does not" "$(compile)" "of the last build"
is "and brings the other version" "$(runs tiny-tool)" "tiny 2.0"
fresh python && wheel tiny 1.0 "$app/wheels"
printf '{"_meta":{"sources":[{"name":"pypi","url":"https://example.org/simple"}]},"default":{"tiny":{"version":"==1.0","markers":"python_version >= \\"3\\""}}}' >"$app/Pipfile.lock"
check "a Pipfile.lock works as well" compile
is "with its markers" "$(runs tiny-tool)" "tiny 1.0"
fresh python && echo "no_such_package_here==1" >"$app/requirements.txt"
out=$(PIP_INDEX_URL=http://127.0.0.1:1/simple PIP_RETRIES=0 compile)
is "a package nobody has fails" "$?" 1
like "with a sentence" "$out" "The dependencies could not be installed"

if /usr/bin/python3 -c 'import flask, gunicorn' 2>/dev/null; then
	fresh python && echo flask >"$app/requirements.txt"
	printf 'import flask\napp = flask.Flask(__name__)\n@app.get("/")\ndef home():\n    return "Hello from Flask"\n' >"$app/app.py"
	check "packages of the stack satisfy requirements" env PIP_INDEX_URL=http://127.0.0.1:1/simple bash -c "$(declare -f compile); T='$T' app='$app' pack='$pack'; compile"
	is "Flask and gunicorn make a web process" "$(release)" $'default_process_types:\n  web: gunicorn app:app'
	is "that serves" "$(answer "gunicorn app:app")" "Hello from Flask"
else
	fail "Flask and gunicorn are on the stack" "make deps installs python3-flask and python3-gunicorn"
fi
forget

# ---- go ---------------------------------------------------------------------------------------------

gomod() { fresh go && printf 'module %s\n\ngo %s\n' "$1" "$2" >"$app/go.mod"; }
main() { mkdir -p "$app/$1" && printf 'package main\n\nfunc main() { println("%s") }\n' "$1" >"$app/$1/main.go"; }
gomod example.org/x 1.999
out=$(compile)
is "a Go that is not there fails" "$?" 1
like "naming both" "$out" "asks for Go 1.999 \(go.mod\), but the stack has Go [0-9]"
gomod example.org/x 1.18 && printf 'package x\n' >"$app/x.go"
like "a module without a program" "$(compile)" "There is no main package"
gomod example.org/x 1.18 && printf 'package main\n\nfunc main() { nonsense }\n' >"$app/x.go"
out=$(compile)
is "what does not compile fails" "$?" 1
like "with the compiler's words" "$out" "undefined: nonsense.*The Go build failed"
gomod example.org/tools/v2 1.18 && main . && main cmd/other
check "several programs are built" compile
is "all of them" "$(ls "$app/bin" | tr '\n' ' ')" "other tools "
is "the module's own is the web process" "$(release)" $'default_process_types:\n  web: \'bin/tools\''
gomod example.org/x 1.18 && main cmd/a && main cmd/b && echo '// +heroku install ./cmd/b' >>"$app/go.mod"
check "+heroku install chooses" compile
is "what is built" "$(ls "$app/bin")" b
is "and what is run" "$(release)" $'default_process_types:\n  web: \'bin/b\''
gomod example.org/x 1.18 && main .
like "without go the package is named" "$(PATH=$(without go) compile)" "apt install golang-go"
check "without a C compiler it builds without cgo" env PATH="$(without gcc)" bash -c "$(declare -f compile); T='$T' app='$app' pack='$pack'; compile"

# ---- static -----------------------------------------------------------------------------------------

fresh static && touch "$app/index.html" && echo '{"root": "../x"}' >"$app/static.json"
out=$(compile)
is "a static.json that leads out fails the build" "$?" 1
like "by line" "$out" 'static.json line 1: a path must not hold'
echo '{"root": "nowhere"}' >"$app/static.json"
like "so does a root that is not there" "$(compile)" 'open the root "nowhere"'
echo '{"proxies": {}}' >"$app/static.json"
like "what is not supported is named" "$(compile)" '"proxies" is not supported and is ignored'
fresh static && touch "$app/index.html"
like "without the server there is a sentence" "$(PAAS_PROGRAMS=/nowhere compile)" "file server is missing"
finish
