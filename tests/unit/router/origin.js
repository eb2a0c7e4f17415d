// An app as people write them: answers on every path, echoes WebSocket frames, counts what comes.
// node origin.js NAME; prints its port.
'use strict';
const http = require('http');
const crypto = require('crypto');

const name = process.argv[2];
const piece = Buffer.alloc(1 << 20, 'x');

const server = http.createServer((request, response) => {
	const url = new URL(request.url, 'http://origin');
	if (url.pathname === '/count') {
		let bytes = 0;
		request.on('data', (data) => { bytes += data.length; });
		request.on('end', () => response.end(`${bytes}\n`));
	} else if (url.pathname === '/send') {
		let left = Number(url.searchParams.get('mib'));
		const more = () => {
			while (left-- > 0)
				if (!response.write(piece))
					return;
			response.end();
		};
		response.on('drain', more);
		more();
	} else if (url.pathname === '/slow') {
		setTimeout(() => response.end(`${name}\n`), Math.random() * 30);
	} else {
		response.end(`${name}\n`);
	}
});

// RFC 6455, just enough: unmasks a short frame and sends it back unmasked.
server.on('upgrade', (request, socket, head) => {
	const key = crypto.createHash('sha1')
		.update(request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11')
		.digest('base64');
	socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n' +
		`Connection: Upgrade\r\nSec-WebSocket-Accept: ${key}\r\n\r\n`);
	let buffered = head;
	socket.on('data', (data) => {
		buffered = Buffer.concat([buffered, data]);
		for (;;) {
			const length = buffered.length < 2 ? 0 : buffered[1] & 127;
			if (buffered.length < 6 + length)
				return;
			const mask = buffered.subarray(2, 6);
			const payload = buffered.subarray(6, 6 + length).map((byte, i) => byte ^ mask[i % 4]);
			socket.write(Buffer.concat([Buffer.from([buffered[0], length]), payload]));
			buffered = buffered.subarray(6 + length);
		}
	});
	socket.on('end', () => socket.end());
	socket.on('error', () => {});
});

server.listen(0, '127.0.0.1', 4096, () => console.log(server.address().port));
