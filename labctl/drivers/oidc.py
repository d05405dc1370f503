"""OpenID Connect: the authorization code flow with PKCE, by Authlib; the ID token is checked by joserfc.

What an identity's groups mean here is decided in `labctl.signing_in`. Keys and addresses are asked for at each sign-in: it happens
seldom, and a provider that changed its keys is understood at once.
"""

from __future__ import annotations

import hmac
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwk, jwt
from joserfc.errors import JoseError

from labctl import errors, ports
from labctl.people_ports import Identity

PATIENCE = 10.0
"""Seconds for each answer of the provider."""

ALGORITHMS = ["RS256", "PS256", "ES256", "RS384", "ES384", "RS512", "PS384", "PS512", "ES512", "Ed25519"]
"""Signatures by keys of which only the provider has the private half; never `none`, never a shared secret."""

LEEWAY = 60
"""Seconds by which the provider's clock may differ from ours."""


@dataclass(frozen=True)
class Asked:
    """What is asked of the provider: scopes separated by spaces, and the claim that lists somebody's groups."""

    scopes: str = "openid email profile"
    groups: str = "groups"


class Provider:
    """Fills the port IdentityProvider."""

    @classmethod
    def of(cls, issuer: str, client_id: str, secret_file: Path | None, asked: Asked, clock: ports.Clock) -> Provider | None:
        """By the settings; None where no issuer is set. Raises BadInput, NotFound (file), Forbidden (who may read it)."""
        if not issuer:
            return None
        secret = ""
        if secret_file is not None:
            if not secret_file.is_file():
                raise errors.NotFound("the file with the identity provider's secret is not there.", hint="See `oidc_client_secret_file`.")
            if stat.S_IMODE(secret_file.stat().st_mode) & 0o077:
                raise errors.Forbidden("the file with the identity provider's secret can be read by others.", hint="chmod 600 it.")
            secret = secret_file.read_text().strip()
        return cls(issuer, client_id, secret, asked, clock)

    def __init__(self, issuer: str, client_id: str, client_secret: str, asked: Asked, clock: ports.Clock) -> None:
        if not issuer.startswith("https://") and urlsplit(issuer).hostname not in {"localhost", "127.0.0.1", "::1"}:
            raise errors.BadInput("the identity provider's address is not https.", hint="Correct the setting `oidc_issuer`.")
        self._issuer = issuer
        self._client = (client_id, client_secret)
        self._scopes = asked.scopes
        self._groups = asked.groups
        self._clock = clock

    def begin(self, back: str) -> tuple[str, dict[str, str]]:
        """See `people_ports.IdentityProvider`."""
        remembered = {name: secrets.token_urlsafe(48) for name in ("state", "nonce", "verifier")}
        with self._session(back) as session:
            address, _ = session.create_authorization_url(
                self._known()["authorization_endpoint"],
                state=remembered["state"],
                nonce=remembered["nonce"],
                code_verifier=remembered["verifier"],
            )
        return str(address), remembered

    def finish(self, back: str, remembered: Mapping[str, str], query: Mapping[str, str]) -> Identity:
        """See `people_ports.IdentityProvider`."""
        if not hmac.compare_digest(query.get("state", ""), remembered["state"]):
            raise _no("that answer belongs to another sign-in")
        if query.get("iss", self._issuer) != self._issuer:
            raise _no("that answer comes from another provider")
        if "code" not in query:
            raise _no("the provider did not sign you in")
        known = self._known()
        with self._session(back) as session:
            token = self._token(session, known, query["code"], remembered["verifier"])
            claims = self._claims(known, str(token.get("id_token", "")), remembered["nonce"])
            return _identity(self._issuer, claims | self._more(session, known, claims), self._groups)

    def _session(self, back: str) -> Any:
        client, secret = self._client
        return OAuth2Session(
            client,
            secret,
            scope=self._scopes,
            redirect_uri=back,
            code_challenge_method="S256",
            token_endpoint_auth_method="client_secret_basic" if secret else "none",
            default_timeout=PATIENCE,
        )

    def _known(self) -> dict[str, Any]:
        """The provider's own description (OpenID Connect Discovery 1.0, section 4)."""
        found = self._get(self._issuer.rstrip("/") + "/.well-known/openid-configuration")
        if found.get("issuer") != self._issuer:
            raise errors.Unreachable(
                "the identity provider calls itself by another name than the setting `oidc_issuer`.", hint="They must be equal."
            )
        return found

    def _get(self, address: str) -> dict[str, Any]:
        try:
            answer = requests.get(address, timeout=PATIENCE, allow_redirects=False)
            answer.raise_for_status()
            found = answer.json()
        except (requests.RequestException, ValueError) as problem:
            raise _away(problem) from None
        if not isinstance(found, dict):
            raise _away(ValueError(type(found).__name__))
        return found

    def _token(self, session: Any, known: Mapping[str, Any], code: str, verifier: str) -> Mapping[str, Any]:
        try:
            token = session.fetch_token(known["token_endpoint"], grant_type="authorization_code", code=code, code_verifier=verifier)
        except AuthlibBaseError:
            raise _no("the provider did not accept its own code") from None
        except (requests.RequestException, ValueError) as problem:
            raise _away(problem) from None
        return token if isinstance(token, Mapping) else {}

    def _claims(self, known: Mapping[str, Any], token: str, nonce: str) -> dict[str, Any]:
        """What the ID token says, after the checks of OpenID Connect Core 1.0, section 3.1.3.7."""
        now = int(self._clock.now().timestamp())
        rules = jwt.JWTClaimsRegistry(
            now=now,
            leeway=LEEWAY,
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": self._client[0]},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            keys = jwk.KeySet.import_key_set(self._get(known["jwks_uri"]))  # type: ignore[arg-type]  # checked by the call itself
            claims: dict[str, Any] = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
            rules.validate(claims)
        except (JoseError, ValueError, KeyError, TypeError):
            raise _no("the provider's answer could not be trusted") from None
        if claims.get("azp", self._client[0]) != self._client[0]:
            raise _no("the provider's answer is for somebody else")
        return claims

    def _more(self, session: Any, known: Mapping[str, Any], claims: Mapping[str, Any]) -> dict[str, Any]:
        """Address, name and groups from the userinfo endpoint, where the ID token is sparing."""
        if "userinfo_endpoint" not in known or all(name in claims for name in ("email", "name", self._groups)):
            return {}
        try:
            answer = session.get(known["userinfo_endpoint"], timeout=PATIENCE, allow_redirects=False)
            answer.raise_for_status()
            found = answer.json()
        except (requests.RequestException, AuthlibBaseError, ValueError) as problem:
            raise _away(problem) from None
        if not isinstance(found, dict) or found.get("sub") != claims["sub"]:
            raise _no("the provider told of somebody else")
        return {name: value for name, value in found.items() if name in {"email", "email_verified", "name", self._groups}}


def _identity(issuer: str, claims: Mapping[str, Any], claim: str) -> Identity:
    groups = claims.get(claim) or ()
    email = claims.get("email")
    return Identity(
        subject=f"{issuer} {claims['sub']}",
        name=str(claims.get("name") or email or claims["sub"])[:200],
        email=email.lower() if isinstance(email, str) else "",
        verified=claims.get("email_verified") is True,
        groups=tuple(str(one) for one in groups) if isinstance(groups, list | tuple) else (str(groups),),
    )


def _no(reason: str) -> errors.Forbidden:
    return errors.Forbidden(f"{reason}.", hint="Begin again from the sign-in page.")


def _away(problem: Exception) -> errors.Unreachable:
    # The kind only: texts of HTTP errors carry addresses with codes in them.
    return errors.Unreachable(f"the identity provider does not answer as it should ({type(problem).__name__}).", hint="Try again.")
