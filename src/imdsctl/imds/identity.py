"""The instance identity document and the signatures over it."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any

Signer = Callable[[str, bytes], str]
"""Signs the document: takes the item's name (one of SIGNATURES) and the document, gives text."""

SIGNATURES = {"signature": 128, "pkcs7": 900, "rsa2048": 1600, "dsa2048": 1500}
"""The signed forms beside the document, with the length in bytes that ours have. Real ones differ
a little from one instance to the next; `signature` is RSA 1024 and always has 128."""

_LINE = 64


def document(values: Mapping[str, Any]) -> str:
    """The document's text, formatted as EC2 formats it (space before the colon, two to indent).

    EC2 User Guide, "Instance identity documents for Amazon EC2 instances".
    """
    members = {
        "accountId": values["account_id"],
        "architecture": values["architecture"],
        "availabilityZone": values["availability_zone"],
        "billingProducts": values["billing_products"] or None,
        "devpayProductCodes": None,
        "marketplaceProductCodes": values["product_codes"] or None,
        "imageId": values["image_id"],
        "instanceId": values["instance_id"],
        "instanceType": values["instance_type"],
        "kernelId": values["kernel_id"] or None,
        "pendingTime": values["pending_time"],
        "privateIp": values["local_ipv4"] or None,
        "ramdiskId": values["ramdisk_id"] or None,
        "region": values["region"],
        "version": "2017-09-30",
    }
    lines = ",\n".join(f'  "{name}" : {_inline(value)}' for name, value in members.items())
    return "{\n" + lines + "\n}"


def _inline(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return "[ " + ", ".join(json.dumps(item) for item in value) + " ]"
    return json.dumps(value)


def fake_signer(key: bytes) -> Signer:
    """Signs with bytes that have the right look and length and verify with no certificate.

    They change when the document changes, and their first bytes spell FAKE once decoded.
    """

    def sign(name: str, text: bytes) -> str:
        length = SIGNATURES.get(name, 256)
        raw = b"FAKE"
        while len(raw) < length:
            raw += hmac.digest(key, b"%s %d " % (name.encode(), len(raw)) + text, "sha256")
        encoded = base64.b64encode(raw[:length]).decode("ascii")
        return "\n".join(encoded[i : i + _LINE] for i in range(0, len(encoded), _LINE))

    return sign
