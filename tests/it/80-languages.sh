#!/bin/bash
# Real apps in their languages: Express from the npm registry, Flask, Go, a static site.
. "$(dirname "$0")/lib.sh"

platform_start || bail "the platform does not start"
person me
"$paas" keys add me "$T/key.me.pub" >/dev/null

# ---- nodejs: Express and its dependencies from the registry
mkdir -p "$T/node"
cat >"$T/node/package.json" <<'EOF'
{
  "name": "shop",
  "version": "1.0.0",
  "engines": { "node": ">=16" },
  "scripts": { "start": "node server.js", "build": "echo built > built.txt" },
  "dependencies": { "express": "^4.18.0" },
  "devDependencies": { "left-pad": "1.3.0" }
}
EOF
cat >"$T/node/server.js" <<'EOF'
const express = require('express');
const fs = require('fs');
const app = express();
app.get('/', (req, res) => res.send('express ' + fs.readFileSync('built.txt', 'utf8').trim()));
app.get('/dev', (req, res) => { try { require('left-pad'); res.send('kept'); } catch { res.send('pruned'); } });
app.get('/proto', (req, res) => res.send(req.get('x-forwarded-proto') + ' ' + req.get('x-request-id').length));
app.listen(process.env.PORT, '0.0.0.0');
EOF
printf 'node_modules\n' >"$T/node/.gitignore"
repo express "$T/node"
out=$(push me express)
is "an Express app deploys" "$?" 0
like "as Node.js" "$out" "Node\.js app detected"
is "it runs, built" "$(get express)" "express built"
is "devDependencies are pruned" "$(get express /dev)" pruned
is "headers of the router arrive" "$(get express /proto)" "http 36"
(cd "$T/express" && npm install --package-lock-only --no-audit --no-fund >/dev/null 2>&1)
commit express lock
out=$(push me express)
is "with a lockfile too" "$?" 0
like "by npm ci" "$out" "npm ci"
sed -i 's/">=16"/"<10"/' "$T/express/package.json"
commit express engines
refused "a node that is not there is named" "engines|node" push me express

# ---- python: Flask of the stack, and a wheels folder without network
mkdir -p "$T/flask"
cat >"$T/flask/app.py" <<'EOF'
import flask
app = flask.Flask(__name__)

@app.get("/")
def hello():
    return "flask " + flask.__version__.split(".")[0]
EOF
echo "flask" >"$T/flask/requirements.txt"
echo 'web: gunicorn --bind 0.0.0.0:$PORT app:app' >"$T/flask/Procfile"
if /usr/bin/python3 -c 'import flask, gunicorn' 2>/dev/null; then
	repo flask "$T/flask"
	out=$(push me flask)
	is "a Flask app deploys" "$?" 0
	like "as Python" "$out" "Python app detected"
	is "it runs" "$(get flask)" "flask 2"
else
	fail "Flask is on the stack" "make deps installs python3-flask and python3-gunicorn"
fi
mkdir -p "$T/wheel/pkg/tinywheel" "$T/wheelapp/wheels"
echo 'WORD = "from a wheel"' >"$T/wheel/pkg/tinywheel/__init__.py"
(
	cd "$T/wheel/pkg" && mkdir tinywheel-1.0.dist-info &&
		printf 'Metadata-Version: 2.1\nName: tinywheel\nVersion: 1.0\n' >tinywheel-1.0.dist-info/METADATA &&
		printf 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n' >tinywheel-1.0.dist-info/WHEEL &&
		printf 'tinywheel/__init__.py,,\ntinywheel-1.0.dist-info/METADATA,,\ntinywheel-1.0.dist-info/WHEEL,,\ntinywheel-1.0.dist-info/RECORD,,\n' >tinywheel-1.0.dist-info/RECORD &&
		/usr/bin/python3 -m zipfile -c "$T/wheelapp/wheels/tinywheel-1.0-py3-none-any.whl" tinywheel tinywheel-1.0.dist-info
)
echo "tinywheel==1.0" >"$T/wheelapp/requirements.txt"
cat >"$T/wheelapp/server.py" <<'EOF'
import http.server, os, sys, tinywheel
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{tinywheel.WORD} in {sys.prefix}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), H).serve_forever()
EOF
echo "web: python server.py" >"$T/wheelapp/Procfile"
repo wheels "$T/wheelapp"
check "requirements from a wheels folder" push me wheels
like "run in a venv under /app" "$(get wheels)" "^from a wheel in /app/"

# ---- go: modules, vendored dependency
mkdir -p "$T/go/vendor/example.org/word"
cat >"$T/go/go.mod" <<'EOF'
module example.org/hello

go 1.19

require example.org/word v1.0.0
EOF
printf '# example.org/word v1.0.0\n## explicit; go 1.19\nexample.org/word\n' >"$T/go/vendor/modules.txt"
printf 'package word\n\nfunc Word() string { return "vendored" }\n' >"$T/go/vendor/example.org/word/word.go"
cat >"$T/go/main.go" <<'EOF'
package main

import (
	"fmt"
	"net/http"
	"os"

	"example.org/word"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "go "+word.Word()) })
	http.ListenAndServe(":"+os.Getenv("PORT"), nil)
}
EOF
repo golang "$T/go"
out=$(push me golang)
is "a Go app deploys" "$?" 0
like "as Go" "$out" "Go app detected"
is "it runs" "$(get golang)" "go vendored"

# ---- static: types, ranges, ETag, SPA fallback
mkdir -p "$T/static/css"
echo "<h1>home</h1>" >"$T/static/index.html"
echo "body{}" >"$T/static/css/a.css"
printf 0123456789 >"$T/static/digits.bin"
repo pages "$T/static"
check "a static site" push me pages
like "types" "$(get pages /css/a.css -o /dev/null -D -)" "[Cc]ontent-[Tt]ype: text/css"
is "ranges" "$(get pages /digits.bin -r 2-4)" 234
is "suffix ranges" "$(get pages /digits.bin -r -3)" 789
is "ranges beyond" "$(code pages /digits.bin -r 20-)" 416
etag=$(get pages / -o /dev/null -D - | tr -d '\r' | sed -n 's/^[Ee][Tt]ag: //p')
is "ETag" "$(code pages / -H "If-None-Match: $etag")" 304
is "HEAD" "$(get pages /digits.bin -I | tr -d '\r' | sed -n 's/^[Cc]ontent-[Ll]ength: //p')" 10
is "404" "$(code pages /missing)" 404
for escape in /../../etc/passwd /%2e%2e/%2e%2e/etc/passwd /..%2fetc/passwd //etc/passwd /.git/HEAD; do
	unlike "nothing escapes by $escape" "$(get pages "$escape" --path-as-is)" "root:|ref:"
done
echo '{ "routes": { "/**": "index.html" } }' >"$T/pages/static.json"
commit pages spa
push me pages >/dev/null
is "SPA fallback by static.json" "$(get pages /some/deep/link)" "<h1>home</h1>"
is "real files still come first" "$(get pages /digits.bin)" 0123456789

# ---- the examples that come with the buildpacks
for example in "$examples"/*/example; do
	pack=$(basename "$(dirname "$example")")
	"$paas" create "ex-$pack" >/dev/null
	[[ $pack == inline ]] && "$paas" buildpacks set inline -a "ex-$pack" >/dev/null
	repo "ex-$pack" "$example"
	out=$(push me "ex-$pack")
	is "the example of $pack deploys" "$?" 0
	is "and answers" "$(code "ex-$pack")" 200
done
finish
