"""A mail or HTTPS server on loopback: prints its port, and writes what it accepted to a file, one JSON document a line."""

import argparse
import asyncio
import json
import ssl
import sys

options = argparse.ArgumentParser()
options.add_argument("kind", choices=["smtp", "https"])
options.add_argument("--log", required=True)
options.add_argument("--cert")
options.add_argument("--key")
options.add_argument("--tls", choices=["none", "starttls", "tls"], default="none")
options.add_argument("--user")
options.add_argument("--password")
options.add_argument("--data", action="append", default=[], help="answers to the first messages")
options.add_argument("--refuse", help="a recipient who is not known here")
options.add_argument("--hold", action="store_true", help="take the message and never answer")
options = options.parse_args()


def context():
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(options.cert, options.key)
    return made


def log(document):
    with open(options.log, "a") as file:
        file.write(json.dumps(document) + "\n")


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if address == options.refuse:
            return "550 5.1.1 nobody of this name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if options.data:
            answer = options.data.pop(0)
            if not answer.startswith("2"):
                log({"refused": answer})
                return answer
        log({
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": session.ssl is not None or options.tls == "tls",
            "login": session.authenticated,
            "content": envelope.content.decode("utf-8", "replace"),
        })
        if options.hold:
            await asyncio.sleep(600)
        return "250 2.0.0 taken as 4711"


def smtp():
    from aiosmtpd.smtp import SMTP, AuthResult

    def authenticate(server, session, envelope, mechanism, data):
        login, password = data.login.decode(), data.password.decode()
        right = (login, password) == (options.user, options.password)
        log({"attempt": login, "right": right})
        # A server that tells what it was told: nobody must repeat it.
        return AuthResult(success=right, handled=False, message=None if right else f"535 not {password}")

    def make():
        return SMTP(
            Handler(),
            require_starttls=options.tls == "starttls",
            tls_context=context() if options.tls == "starttls" else None,
            authenticator=authenticate if options.user else None,
            auth_required=options.user is not None,
            auth_require_tls=options.tls == "starttls",
            enable_SMTPUTF8=False,
        )

    async def serve():
        wrapped = context() if options.tls == "tls" else None
        server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0, ssl=wrapped)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(serve())


def https():
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            log({"path": self.path, "body": body.decode()})
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    class Quiet(HTTPServer):
        def handle_error(self, *_):
            pass

    server = Quiet(("127.0.0.1", 0), Answer)
    server.socket = context().wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    print(server.server_address[1], flush=True)
    server.serve_forever()


sys.exit({"smtp": smtp, "https": https}[options.kind]())
