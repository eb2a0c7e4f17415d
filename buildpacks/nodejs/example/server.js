"use strict";
const fs = require("fs");
const http = require("http");

const built = fs.readFileSync("built.txt", "utf8");

const server = http.createServer((request, response) => {
	response.setHeader("Content-Type", "text/plain; charset=utf-8");
	response.end(`Hello from Node.js ${process.version}, ${built}.\n`);
});
server.listen(process.env.PORT || 5000);
process.on("SIGTERM", () => server.close(() => process.exit(0)));
