"""A real OpenID provider on loopback: discovery, authorization code with PKCE, ID tokens signed by RS256, userinfo, keys.

It checks what a provider must (client, redirect address, code once, verifier), and can be told to lie in its answers.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from joserfc import jwk, jwt

CLIENT, SECRET = "labctl", "the client's secret"


class ProviderHere:
    """`user`: the claims of whoever signs in next. `lie` changes an ID token's claims, `sign_with` its key."""

    def __init__(self) -> None:
        self.key = jwk.RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
        self.sign_with = self.key
        self.algorithm = "RS256"
        self.user = {}
        self.lie = {}
        self.lean = False
        self.codes = {}
        self.tokens = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def agree(self, address: str) -> dict[str, str]:
        """The user says yes at the authorization address: what the browser brings back."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return {"code": code, "state": asked["state"], "iss": self.issuer}

    def get(self, path: str, token: str):
        if path == "/.well-known/openid-configuration":
            known = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys", "userinfo_endpoint": "me"}
            return 200, {"issuer": self.issuer} | {name: f"{self.issuer}/{end}" for name, end in known.items()}
        if path == "/keys":
            return 200, {"keys": [self.key.as_dict(private=False)]}
        if path == "/me" and token in self.tokens:
            return 200, self.tokens[token]
        return 404, {}

    def redeem(self, form: dict[str, str], authorization: str):
        right = base64.b64encode(f"{CLIENT}:{SECRET.replace(' ', '%20')}".encode()).decode()
        plain = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if authorization not in {f"Basic {right}", f"Basic {plain}"}:
            return 401, {"error": "invalid_client"}
        asked = self.codes.pop(form["code"], None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        if asked is None or asked["redirect_uri"] != form["redirect_uri"] or asked["code_challenge"] != challenge:
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"], "sub": self.user["sub"]}
        claims |= {} if self.lean else self.user
        token = secrets.token_urlsafe(16)
        self.tokens[token] = self.user
        return 200, {"access_token": token, "token_type": "Bearer", "id_token": self._signed(claims | self.lie)}

    def _signed(self, claims) -> str:
        header = {"alg": self.algorithm, "kid": "one"}
        if self.algorithm == "none":
            parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims))
            return ".".join([*parts, ""])
        return jwt.encode(header, claims, self.sign_with, algorithms=[self.algorithm])


def _handler(provider: ProviderHere):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self._say(*provider.get(urlsplit(self.path).path, self.headers.get("Authorization", "").removeprefix("Bearer ")))

        def do_POST(self):
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(text).items()}
            self._say(*provider.redeem(form, self.headers.get("Authorization", "")))

        def _say(self, status, body):
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    return Handler
