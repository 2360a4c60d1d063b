"""Session tokens: who may use which, and for how long."""

import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imdsctl.imds.tokens import MAX_TTL, MIN_TTL, TOKEN_LENGTH, Tokens, TokenState, parse_ttl

NOW = 1_769_847_720.25
INSTANCE = "i-1234567890abcdef0"
TOKENS = Tokens(b"secret", INSTANCE)
FOREIGN = TokenState("foreign")

ttls = st.integers(MIN_TTL, MAX_TTL)
entropies = st.binary(min_size=8, max_size=8)


@given(ttl=ttls, entropy=entropies)
def test_a_token_looks_like_aws_s(ttl: int, entropy: bytes) -> None:
    token = TOKENS.issue(ttl, NOW, entropy)
    assert re.fullmatch(r"AQAE[A-Za-z0-9_-]{50}==", token)
    assert len(token) == TOKEN_LENGTH == 56


@given(ttl=ttls, entropy=entropies, later=st.floats(0, MAX_TTL + 10, allow_nan=False))
def test_a_token_is_valid_to_the_end_of_its_time_and_no_longer(
    ttl: int, entropy: bytes, later: float
) -> None:
    state = TOKENS.check(TOKENS.issue(ttl, NOW, entropy), NOW + later)
    if later < ttl - 0.001:
        assert state.valid
        # At least what is left, and less than a second more.
        assert ttl - later - 0.001 <= state.remaining < ttl - later + 1.001
    elif later > ttl + 0.001:
        assert state == TokenState("expired")


def test_a_fresh_token_has_all_its_time() -> None:
    assert TOKENS.check(TOKENS.issue(21600, NOW, bytes(8)), NOW) == TokenState("valid", 21600)


def test_a_token_in_its_last_second_has_one_second() -> None:
    assert TOKENS.check(TOKENS.issue(60, NOW, bytes(8)), NOW + 59.5) == TokenState("valid", 1)


def test_a_token_expires_on_the_second() -> None:
    assert not TOKENS.check(TOKENS.issue(60, NOW, bytes(8)), NOW + 60).valid


def test_a_clock_that_was_set_back_does_not_lengthen_what_is_told() -> None:
    assert TOKENS.check(TOKENS.issue(MAX_TTL, NOW, bytes(8)), NOW - 9999).remaining == MAX_TTL


@pytest.mark.parametrize(
    "other", [Tokens(b"secret", "i-0fedcba0987654321"), Tokens(b"another secret", INSTANCE)]
)
def test_a_token_of_another_instance_or_secret_is_refused(other: Tokens) -> None:
    assert TOKENS.check(other.issue(60, NOW, bytes(8)), NOW) == FOREIGN


@given(position=st.integers(0, 55), letter=st.sampled_from("ABZaz019-_=+/ \n"))
def test_a_token_with_any_character_changed_is_refused(position: int, letter: str) -> None:
    token = TOKENS.issue(60, NOW, b"whatever")
    changed = token[:position] + letter + token[position + 1 :]
    if changed != token:
        assert TOKENS.check(changed, NOW) == FOREIGN


def test_a_token_has_one_spelling_only() -> None:
    """Base64 leaves bits of the last letter unused, and has two alphabets."""
    token = next(
        token
        for number in range(1000)
        if "-" in (token := TOKENS.issue(60, NOW, number.to_bytes(8, "big")))
    )
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = letters.index(token[53])
    spellings = [token[:53] + letters[last ^ bit] + "==" for bit in (1, 2, 4, 8)]
    spellings.append(token.replace("-", "+"))
    assert [TOKENS.check(one, NOW) for one in spellings] == [FOREIGN] * 5


@given(st.text(max_size=80))
def test_text_that_is_no_token_is_refused_quietly(text: str) -> None:
    assert TOKENS.check(text, NOW) == FOREIGN


@given(st.text(st.characters(codec="ascii"), min_size=56, max_size=56))
def test_text_of_a_token_s_length_is_refused_quietly(text: str) -> None:
    assert TOKENS.check(text, NOW) == FOREIGN


def test_fifty_thousand_tokens_differ_and_are_all_valid_and_none_is_kept() -> None:
    tokens = Tokens(b"secret", INSTANCE)
    before = sum(map(sys.getsizeof, vars(tokens).values()))
    issued = {tokens.issue(60, NOW, number.to_bytes(8, "big")) for number in range(50_000)}
    assert len(issued) == 50_000
    assert all(tokens.check(token, NOW).valid for token in issued)
    assert sum(map(sys.getsizeof, vars(tokens).values())) == before


def test_too_little_randomness_is_refused() -> None:
    with pytest.raises(ValueError, match="8 random bytes, got 7"):
        TOKENS.issue(60, NOW, bytes(7))


@pytest.mark.parametrize("ttl", [0, -1, 21601])
def test_a_lifetime_out_of_range_is_refused(ttl: int) -> None:
    with pytest.raises(ValueError, match="1 to 21600"):
        TOKENS.issue(ttl, NOW, bytes(8))


@pytest.mark.parametrize(
    ("text", "ttl"),
    [
        ("1", 1), ("21600", 21600), (" 60\t", 60), ("0060", 60), ("0", None), ("21601", None),
        ("-1", None), ("+60", None), ("6e1", None), ("60, 60", None), ("", None), (None, None),
        ("٦٠", None), ("9" * 5000, None), ("60\n", None),
    ],
)  # fmt: skip
def test_a_lifetime_is_one_to_21600_in_plain_digits(text: str | None, ttl: int | None) -> None:
    assert parse_ttl(text) == ttl
