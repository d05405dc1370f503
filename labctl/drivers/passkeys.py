"""Passkeys: WebAuthn's relying party, by py_webauthn. A passkey signs in by itself, so the authenticator must have seen its owner
(user verification) and must keep the account's handle (a discoverable credential).
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import webauthn
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, options_to_json_dict, parse_authentication_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from labctl import errors
from labctl.model import people

LONGEST_ANSWER = 20_000
"""Characters of a browser's answer: real ones have some hundred to a few thousand."""


class Passkeys:
    """Fills the port Authenticator."""

    def offer(self, origin: str, account: people.Account, known: tuple[people.Passkey, ...]) -> tuple[dict[str, Any], str]:
        """See `people_ports.Authenticator`."""
        options = webauthn.generate_registration_options(
            rp_id=_party(origin),
            rp_name="labctl",
            user_id=account.id.encode(),
            user_name=account.email,
            user_display_name=account.name,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=one.id) for one in known],
        )
        return options_to_json_dict(options), bytes_to_base64url(options.challenge)

    def enrol(self, origin: str, account: str, challenge: str, answer: str) -> people.Passkey:
        """See `people_ports.Authenticator`."""
        try:
            checked = webauthn.verify_registration_response(
                credential=_short(answer),
                expected_challenge=base64url_to_bytes(challenge),
                expected_rp_id=_party(origin),
                expected_origin=origin,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError) as problem:
            raise _refused(problem) from None
        return people.Passkey(checked.credential_id, account, checked.credential_public_key, checked.sign_count)

    def ask(self, origin: str) -> tuple[dict[str, Any], str]:
        """See `people_ports.Authenticator`."""
        options = webauthn.generate_authentication_options(rp_id=_party(origin), user_verification=UserVerificationRequirement.REQUIRED)
        return options_to_json_dict(options), bytes_to_base64url(options.challenge)

    def id_of(self, answer: str) -> bytes:
        """See `people_ports.Authenticator`."""
        try:
            return parse_authentication_credential_json(_short(answer)).raw_id
        except (WebAuthnException, ValueError, KeyError, TypeError) as problem:
            raise _refused(problem) from None

    def check(self, origin: str, challenge: str, answer: str, passkey: people.Passkey) -> int:
        """See `people_ports.Authenticator`."""
        try:
            checked = webauthn.verify_authentication_response(
                credential=_short(answer),
                expected_challenge=base64url_to_bytes(challenge),
                expected_rp_id=_party(origin),
                expected_origin=origin,
                credential_public_key=passkey.public_key,
                credential_current_sign_count=passkey.count,
                require_user_verification=True,
            )
            handle = json.loads(answer)["response"].get("userHandle")
        except (WebAuthnException, ValueError, KeyError, TypeError) as problem:
            raise _refused(problem) from None
        if handle is not None and handle != bytes_to_base64url(passkey.account.encode()):
            raise _refused(ValueError("the passkey names another account"))
        return checked.new_sign_count


def usable(origin: str) -> bool:
    """Browsers offer passkeys to names only, and only over HTTPS or on this very machine."""
    host = urlsplit(origin).hostname or ""
    return host == "localhost" or (origin.startswith("https://") and not host.replace(".", "").isdecimal() and ":" not in host)


def _party(origin: str) -> str:
    return urlsplit(origin).hostname or ""


def _short(answer: str) -> str:
    if len(answer) > LONGEST_ANSWER:
        msg = "an answer of that length is none"
        raise ValueError(msg)
    return answer


def _refused(problem: Exception) -> errors.Forbidden:
    # The library's sentence tells the kind of mistake and holds no secret; a passkey's answer is useless a second time anyway.
    del problem
    return errors.Forbidden("that passkey was not accepted.", hint="Try again, or sign in another way.")
