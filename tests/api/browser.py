"""A browser as far as signing in goes: it keeps cookies, names the page's origin, sends forms, follows redirects. And its passkeys."""

from __future__ import annotations

import hashlib
import json
import secrets
from html.parser import HTMLParser

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.testclient import TestClient
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

ORIGIN = "http://localhost:8440"


class Browser(TestClient):
    """One person's, with nothing in it."""

    def __init__(self, app, origin=ORIGIN):
        super().__init__(app, base_url=origin, raise_server_exceptions=False, follow_redirects=False)
        self.origin = origin

    def form(self, path, origin="", **fields):
        """Send a form from a page of labctl's own, or of another origin."""
        return self.post(path, data=fields, headers={"Origin": origin or self.origin})

    def me(self):
        """Who this browser is signed in as, or None."""
        answer = self.get("/api/v1/me")
        return answer.json() if answer.status_code == 200 else None


class Fields(HTMLParser):
    """The fields of a page's forms, with what they hold."""

    def __init__(self, text):
        super().__init__()
        self.values = {}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if tag == "input":
            self.values[found["name"]] = found.get("value", "")


class Authenticator:
    """A passkey as WebAuthn Level 3 describes it: ES256, kept in this object, its owner always seen."""

    def __init__(self, origin=ORIGIN):
        self.origin = origin
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = secrets.token_bytes(32)
        self.handle = ""
        self.count = 0

    def _data(self, party, *, made=b"", verified=True):
        self.count += 1
        flags = 0x01 | (0x04 if verified else 0) | (0x40 if made else 0)
        return hashlib.sha256(party.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big") + made

    def _client(self, kind, challenge):
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}).encode()

    def create(self, options):
        """What a browser answers to `navigator.credentials.create`."""
        self.handle = options["user"]["id"]
        point = self.key.public_key().public_numbers()
        public = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")})
        made = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + public
        statement = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": self._data(options["rp"]["id"], made=made)})
        client = self._client("webauthn.create", options["challenge"])
        return self._answer({"clientDataJSON": bytes_to_base64url(client), "attestationObject": bytes_to_base64url(statement)})

    def get(self, options, *, verified=True):
        """What a browser answers to `navigator.credentials.get`."""
        data, client = self._data(options["rpId"], verified=verified), self._client("webauthn.get", options["challenge"])
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        said = {"clientDataJSON": client, "authenticatorData": data, "signature": signature}
        response = {name: bytes_to_base64url(value) for name, value in said.items()}
        return self._answer(response | {"userHandle": self.handle})

    def _answer(self, response):
        id_ = bytes_to_base64url(self.id)
        assert base64url_to_bytes(id_) == self.id
        return json.dumps({"id": id_, "rawId": id_, "type": "public-key", "response": response, "clientExtensionResults": {}})
