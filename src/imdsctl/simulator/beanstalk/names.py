"""The ids that Elastic Beanstalk makes up, without anything of moto."""

import hashlib

_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"


def environment_id(environment: str) -> str:
    """An environment's id (`e-` and ten characters), the same each time for the same name."""
    digest = hashlib.sha256(environment.encode()).digest()
    return "e-" + "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:10])
