"""python scripts.py: programs of the stack's packages, for the app's own interpreter.

Debian's /usr/bin/gunicorn runs /usr/bin/python3, which does not see what pip put into the venv. So
the servers and tools a Procfile is likely to name get a script in the venv's bin when their module
comes from the stack.
"""
import importlib.metadata
import os
import sys

WANTED = {
    "alembic", "celery", "daphne", "django-admin", "flask", "gunicorn", "hypercorn", "uvicorn",
    "waitress-serve",
}

SCRIPT = """#!{python}
import sys
from {module} import {first}
sys.exit({attr}())
"""

python = sys.executable
folder = os.path.dirname(python)
for dist in importlib.metadata.distributions():
    for entry in dist.entry_points:
        path = os.path.join(folder, entry.name)
        if entry.group != "console_scripts" or entry.name not in WANTED or os.path.exists(path):
            continue
        module, _, attr = entry.value.partition(":")
        attr = attr.split("[")[0].strip()
        with open(path, "w", encoding="utf-8") as out:
            out.write(SCRIPT.format(python=python, module=module.strip(), attr=attr,
                                    first=attr.split(".")[0]))
        os.chmod(path, 0o755)
