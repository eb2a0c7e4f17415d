#!/bin/bash
# Requests through a real platform to a real Node server: methods, bodies, headers, upgrades,
# and deploys under load that drop nothing.
. "$(dirname "$0")/lib.sh"

platform_start || bail "the platform does not start"
person me
"$paas" keys add me "$T/key.me.pub" >/dev/null
mkdir "$T/src"
cat >"$T/src/server.js" <<'EOF'
const http = require('http');
const crypto = require('crypto');
const server = http.createServer((req, res) => {
  const url = new URL(req.url, 'http://x');
  if (url.pathname === '/headers') {
    res.setHeader('X-Raw', req.rawHeaders.length);
    res.setHeader('Connection', 'x-secret');
    res.setHeader('X-Secret', 'hop');
    return res.end(JSON.stringify(req.headers));
  }
  if (url.pathname === '/echo') return req.pipe(res);
  if (url.pathname === '/sum') {
    const hash = crypto.createHash('sha256');
    let n = 0;
    req.on('data', (d) => { hash.update(d); n += d.length; });
    return req.on('end', () => res.end(hash.digest('hex') + ' ' + n));
  }
  if (url.pathname === '/chunks') {
    for (let i = 0; i < 5; i++) res.write('chunk' + i + '\n');
    return res.end();
  }
  if (url.pathname === '/length') { res.setHeader('Content-Length', 5); return res.end('12345'); }
  if (url.pathname === '/status') { res.statusCode = +url.searchParams.get('s'); return res.end(); }
  if (url.pathname === '/slow') return setTimeout(() => res.end('slow'), 300);
  if (url.pathname === '/die') return req.socket.destroy();
  if (url.pathname === '/bad') { req.socket.end('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx'); return; }
  if (url.pathname === '/big') {
    res.setHeader('Content-Length', 200e6);
    const block = Buffer.alloc(1e6, 'a');
    let n = 0;
    const more = () => { while (n < 200) { n++; if (!res.write(block)) return res.once('drain', more); } res.end(); };
    return more();
  }
  res.end(process.env.WORD || 'node');
});
server.on('upgrade', (req, socket) => {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: ' + req.headers.upgrade + '\r\nConnection: Upgrade\r\n\r\n');
  socket.on('data', (d) => socket.write(d));
  socket.on('end', () => socket.end('bye'));
});
server.on('checkContinue', (req, res) => {
  if (req.headers['x-refuse']) { res.statusCode = 417; return res.end('no'); }
  res.writeContinue();
  req.pipe(res);
});
server.keepAliveTimeout = 65000;
server.listen(process.env.PORT, '0.0.0.0');
process.on('SIGTERM', () => server.close(() => process.exit(0)));
EOF
echo 'web: node server.js' >"$T/src/Procfile"
repo node "$T/src"
check "a node server without package.json deploys" push me node
headers=$(get node /headers -H 'X-Forwarded-For: 9.9.9.9' -H 'Connection: x-drop' -H 'X-Drop: 1' -H 'TE: trailers')
h() { jq -r --arg k "$1" '.[$k] // "none"' <<<"$headers"; }
is "X-Forwarded-For is appended" "$(h x-forwarded-for)" "9.9.9.9, 127.0.0.1"
is "X-Forwarded-Proto" "$(h x-forwarded-proto)" http
is "X-Forwarded-Port" "$(h x-forwarded-port)" "${http##*:}"
like "X-Request-Id" "$(h x-request-id)" "^[0-9a-f-]{36}$"
like "X-Request-Start" "$(h x-request-start)" "^[0-9]{13}$"
like "Via" "$(h via)" "^1\.1 "
is "Host stays" "$(h host)" node.localhost
is "what Connection names is removed" "$(h x-drop)" none
is "an id of the client is kept" "$(get node /headers -H 'X-Request-Id: abcdefghij-abcdefghij-12345' | jq -r '."x-request-id"')" abcdefghij-abcdefghij-12345
unlike "hop-by-hop headers of the answer go too" "$(get node /headers -D - -o /dev/null)" "X-Secret"

is "a body with a length" "$(get node /echo -d 'some body')" "some body"
is "a chunked body" "$(get node /echo -H 'Transfer-Encoding: chunked' -d 'some chunks')" "some chunks"
is "a chunked answer" "$(get node /chunks | xargs)" "chunk0 chunk1 chunk2 chunk3 chunk4"
is "an answer for HTTP/1.0" "$(get node /chunks -0 | xargs)" "chunk0 chunk1 chunk2 chunk3 chunk4"
is "HEAD" "$(get node /length -I -o /dev/null -w '%{http_code} %header{content-length}')" "200 5"
is "204" "$(code node '/status?s=204')" 204
is "304" "$(code node '/status?s=304')" 304
is "other methods" "$(get node /echo -X PURGE -d x)" x
is "100-continue" "$(head -c 100000 /dev/zero | tr '\0' c | get node /echo -H 'Expect: 100-continue' --expect100-timeout 10 --data-binary @- | wc -c)" 100000
is "refused before the body" "$(get node /echo -H 'Expect: 100-continue' -H 'X-Refuse: 1' --expect100-timeout 10 -d x)" no
head -c 100000000 /dev/urandom >"$T/upload"
is "100 MB up, byte by byte" "$(get node /sum -T "$T/upload" -X POST -H Expect: | cut -d' ' -f1)" "$(sha256sum "$T/upload" | cut -d' ' -f1)"
is "200 MB down" "$(get node /big | wc -c)" 200000000
is "two requests, one connection" "$(curl -s -o /dev/null -o /dev/null -w '%{num_connects} ' -H 'Host: node.localhost' "http://$http/length" "http://$http/length")" "1 0 "

# ---- upgrades
exec {ws}<>"/dev/tcp/${http%:*}/${http##*:}"
printf 'GET /ws HTTP/1.1\r\nHost: node.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n' >&"$ws"
read -r -t 5 -u "$ws" line
like "an upgrade is answered with 101" "$line" "HTTP/1.1 101"
while read -r -t 5 -u "$ws" line && [[ $line != $'\r' ]]; do :; done
echo "ping over the tunnel" >&"$ws"
read -r -t 5 -u "$ws" line
is "and is a tunnel" "$line" "ping over the tunnel"
exec {ws}>&-

# ---- errors
is "an app that closes: H13" "$(get node /die | grep -o H13 | head -1)" H13
is "with status 503" "$(code node /die)" 503
is "an answer that is no HTTP: 502" "$(code node /bad)" 502
is "no such app: 404" "$(code nosuch)" 404
is "HEAD of an error has no body" "$(curl -sI -H 'Host: nosuch.localhost' "http://$http/" | tr -d '\r' | head -1)" "HTTP/1.1 404 Not Found"
"$paas" create blank >/dev/null
like "nothing deployed yet" "$(get blank)" "H81|[Nn]othing"

# ---- WebSockets of the real library
mkdir "$T/wsapp"
cat >"$T/wsapp/package.json" <<'EOF'
{ "name": "w", "version": "1.0.0", "dependencies": { "ws": "^8.0.0" }, "scripts": { "start": "node s.js" } }
EOF
cat >"$T/wsapp/s.js" <<'EOF'
const { WebSocketServer } = require('ws');
new WebSocketServer({ port: +process.env.PORT }).on('connection', (s) => s.on('message', (m, b) => s.send(m, { binary: b })));
EOF
repo wsapp "$T/wsapp"
check "a ws server deploys" push me wsapp
(cd "$T/wsapp" && npm install --no-audit --no-fund >/dev/null 2>&1)
cat >"$T/wsapp/client.js" <<'EOF'
const { WebSocket } = require('ws');
const c = new WebSocket(process.argv[2], { headers: { Host: 'wsapp.localhost' } });
const sizes = [0, 1, 125, 126, 65535, 65536, 1 << 20];
let i = 0;
const next = () => (i < sizes.length ? c.send(Buffer.alloc(sizes[i], i)) : (console.log('echoed all'), c.close()));
c.on('open', next);
c.on('message', (m) => { if (m.length !== sizes[i] || !m.equals(Buffer.alloc(sizes[i], i))) { console.log('differs at ' + sizes[i]); process.exit(1); } i++; next(); });
c.on('error', (e) => { console.log(String(e)); process.exit(1); });
EOF
is "frames of 0 B to 1 MiB come back" "$(cd "$T/wsapp" && timeout 30 node client.js "ws://$http/")" "echoed all"

# ---- nothing is dropped by deploys, restarts, scaling, config
"$paas" scale web=2 -a node >/dev/null
eventually 20 bash -c "[[ \$($paas ps -a node --json | jq '[.[] | select(.state == \"up\")] | length') == 2 ]]"
cat >"$T/load.lua" <<'EOF'
wrk.headers["Host"] = "node.localhost"
done = function(s, l, r)
   io.write(string.format("bad=%d requests=%d\n", s.errors.connect + s.errors.read + s.errors.write + s.errors.status + s.errors.timeout, s.requests))
end
EOF
wrk -t1 -c16 -d20s -s "$T/load.lua" "http://$http/" >"$T/load" 2>&1 &
load=$!
echo >>"$T/node/server.js"
commit node two
check "a deploy under load" push me node
check "a restart under load" "$paas" restart -a node
check "a config change under load" "$paas" config set WORD=changed -a node
check "scaling up under load" "$paas" scale web=4 -a node
eventually 20 bash -c "[[ \$($paas ps -a node --json | jq '[.[] | select(.state == \"up\")] | length') == 4 ]]"
check "and down" "$paas" scale web=1 -a node
wait "$load"
like "no request failed" "$(grep bad= "$T/load")" "^bad=0 requests=[0-9]{3,}"
finish
