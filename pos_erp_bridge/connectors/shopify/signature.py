# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Webhook signatures: base64(HMAC-SHA256(secret, raw body)) in X-Shopify-Hmac-SHA256."""

import base64
import hashlib
import hmac

from ..base import same_secret


def sign(body: bytes, secret: str) -> str:
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def verify(body: bytes, signature: str, secrets) -> bool:
    """Whether one of the secrets made this signature: two are valid for an hour after a rotation."""
    return any(same_secret(signature, sign(body, secret)) for secret in secrets if secret)
