// A WebSocket client: node websocket.js PORT. Sends 200 frames, wants each one back; exit status 0.
'use strict';
const http = require('http');
const crypto = require('crypto');

const key = crypto.randomBytes(16).toString('base64');
const request = http.request({
	host: '127.0.0.1', // a name may be ::1 first, which Node before 20 would only try
	port: Number(process.argv[2]),
	headers: {
		Host: 'hello.localhost', Connection: 'Upgrade', Upgrade: 'websocket',
		'Sec-WebSocket-Key': key, 'Sec-WebSocket-Version': '13',
	},
});
request.on('upgrade', (response, socket, head) => {
	const wanted = crypto.createHash('sha1').update(key + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
	if (response.headers['sec-websocket-accept'] !== wanted)
		process.exit(1);
	let buffered = head, next = 0;
	socket.on('data', (data) => {
		buffered = Buffer.concat([buffered, data]);
		while (buffered.length >= 2 && buffered.length >= 2 + buffered[1]) {
			const text = buffered.subarray(2, 2 + buffered[1]).toString();
			if (text !== `frame ${next++}`)
				process.exit(2);
			buffered = buffered.subarray(2 + buffered[1]);
		}
		if (next === 200)
			socket.end();
	});
	socket.on('end', () => process.exit(next === 200 ? 0 : 3));
	for (let i = 0; i < 200; i++) {
		const payload = Buffer.from(`frame ${i}`);
		const mask = crypto.randomBytes(4);
		socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | payload.length]), mask,
			payload.map((byte, j) => byte ^ mask[j % 4])]));
	}
});
request.on('response', () => process.exit(4));
request.end();
