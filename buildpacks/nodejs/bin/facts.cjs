// node facts.cjs DIR NPM: reads DIR/package.json and prints what bin/compile asks of it, a line
// each: "key value". Exit status 1 and a sentence when the file cannot be used.
"use strict";
const fs = require("fs");
const path = require("path");

function fail(sentence) {
	console.log(sentence);
	process.exit(1);
}

function say(key, value) {
	console.log(`${key} ${String(value).replace(/\s+/g, " ")}`);
}

function readJson(file, name) {
	let value;
	try {
		value = JSON.parse(fs.readFileSync(file, "utf8").replace(/^\uFEFF/, ""));
	} catch (e) {
		fail(`${name} is no valid JSON: ${e.message.split("\n")[0]}`);
	}
	if (typeof value !== "object" || value === null || Array.isArray(value))
		fail(`${name} is no JSON object.`);
	return value;
}

// npm brings semver along: inside its own folder, or as Debian's node-semver.
function loadSemver(npm) {
	const places = ["/usr/share/nodejs/semver"];
	try {
		places.unshift(path.join(fs.realpathSync(npm), "../../node_modules/semver"));
	} catch {
		// no npm: Debian's place is left
	}
	for (const place of places) {
		try {
			return require(place);
		} catch {
			// the next place
		}
	}
	return null;
}

// Asking npm itself costs a third of a second.
function npmVersion(npm) {
	try {
		return require(path.join(fs.realpathSync(npm), "../../package.json")).version;
	} catch {
		return "";
	}
}

const [dir, npm] = process.argv.slice(2);
const app = readJson(path.join(dir, "package.json"), "package.json");
const scripts = app.scripts && typeof app.scripts === "object" ? app.scripts : {};
const range = app.engines && app.engines.node;

say("node", process.versions.node);
say("npm", npmVersion(npm));
for (const name of Object.keys(scripts)) {
	if (typeof scripts[name] === "string" && /^[\w:.-]+$/.test(name))
		say("script", name);
}
if (app.devDependencies && Object.keys(app.devDependencies).length > 0)
	say("dev", "yes");

if (range !== undefined) {
	const semver = loadSemver(npm);
	say("engine", range);
	if (typeof range !== "string" || (semver && semver.validRange(range) === null))
		say("engine_state", "invalid");
	else if (!semver)
		say("engine_state", "unknown");
	else if (!semver.satisfies(process.version, range, { includePrerelease: true }))
		say("engine_state", "unsatisfied");
}

// An installed tree can be used again only when nothing but the lock file decides what is in it.
const lockFile = ["npm-shrinkwrap.json", "package-lock.json"]
	.map((name) => path.join(dir, name)).find((file) => fs.existsSync(file));
if (lockFile) {
	const lock = readJson(lockFile, path.basename(lockFile));
	const own = ["preinstall", "install", "postinstall", "prepare", "prepublish",
		"heroku-prebuild"].some((name) => name in scripts);
	const local = Object.entries(lock.packages || {}).some(([place, p]) => p.link ||
		(place !== "" && !place.startsWith("node_modules/")) || /^file:/.test(p.resolved || ""));
	say("lock", path.basename(lockFile));
	if (!own && !local && lock.lockfileVersion >= 2)
		say("reusable", "yes");
}
