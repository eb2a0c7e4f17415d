"""A WSGI app of the standard library; with gunicorn in requirements.txt no Procfile is needed."""
import os
import platform
import signal
import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server


def application(environ, start_response):
    body = f"Hello from Python {platform.python_version()} in {sys.prefix}.\n".encode()
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8"),
                              ("Content-Length", str(len(body)))])
    return [body]


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    make_server("", int(os.environ.get("PORT", "5000")), application,
                handler_class=Quiet).serve_forever()
