"""python pipfile.py Pipfile.lock: its default packages as a requirements file."""
import json
import sys

with open(sys.argv[1], encoding="utf-8") as f:
    lock = json.load(f)
for source in lock.get("_meta", {}).get("sources", [])[:1]:
    if source.get("name") != "pypi" and source.get("url", "").startswith("http"):
        print("--index-url", source["url"])
for name, package in lock.get("default", {}).items():
    extras = "[" + ",".join(package["extras"]) + "]" if package.get("extras") else ""
    if "version" in package:
        line = name + extras + package["version"]
    elif "git" in package:
        line = f"{name}{extras} @ git+{package['git']}@{package.get('ref', 'HEAD')}"
    elif "path" in package or "file" in package:
        line = package.get("path") or package["file"]
    else:
        line = name + extras
    if package.get("markers"):
        line += " ; " + package["markers"]
    print(line)
