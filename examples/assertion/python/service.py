"""A service that believes the assertion of wxgate, and nothing else that a request says of its user."""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt

# Kept for five minutes; a key that is not among them is looked for at once, but not in every request.
KEYS = jwt.PyJWKClient(
    os.environ["JWKS_URL"],
    lifespan=300,
    cooldown_duration=float(os.environ.get("JWKS_COOLDOWN", "30")),
    timeout=5,
)


def identity(assertion):
    """Who the gateway says the user is; raises jwt.PyJWTError where it does not say so."""
    if jwt.get_unverified_header(assertion).get("typ") != "wxgate-assertion+jwt":
        raise jwt.InvalidTokenError("it is of another type")
    claims = jwt.decode(
        assertion,
        KEYS.get_signing_key_from_jwt(assertion),
        algorithms=["EdDSA", "ES256"],
        issuer=os.environ.get("ISSUER", "wxgate"),
        audience=os.environ["AUDIENCE"],
        leeway=30,
        options={"require": ["exp", "iat", "iss", "aud", "sub", "appid"]},
    )
    return {"openid": claims["sub"], "appid": claims["appid"], "unionid": claims.get("unionid")}


class Service(BaseHTTPRequestHandler):
    """Says whom it has before it."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        """Answers with the identity. Not 401, by which Mini Programs know to log in again."""
        try:
            self.answer(200, identity(self.headers.get("X-WX-Assertion", "")))
        except jwt.PyJWKClientConnectionError as error:
            print(error, file=sys.stderr)
            self.answer(503, {"error": "the keys of the gateway cannot be fetched"})
        except jwt.PyJWTError as error:
            print(error, file=sys.stderr)  # for us; the client only learns that it is not let in
            self.answer(403, {"error": "not from the gateway"})

    def answer(self, status, body):
        """Answers with JSON."""
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Says nothing of each request."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "3000"))), Service)
    print(f"listening on 127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()
