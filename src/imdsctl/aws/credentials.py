"""Whose credentials sign a call: the caller's own, or those of a role assumed in the account."""

import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final, NamedTuple

from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials

from imdsctl.model.diagnostics import UsageError
from imdsctl.model.evidence import Cell

SESSION_NAME: Final = "imdsctl"
"""The role session name, by which CloudTrail shows the tool's calls."""


class Acting(NamedTuple):
    """On whose behalf the current thread calls AWS; `credentials` is None for the chain's own."""

    cell: Cell
    credentials: Any


acting: ContextVar[Acting | None] = ContextVar("acting", default=None)
"""Set around every call; the hooks on the shared clients read it."""


def sign_with_account(context: dict[str, Any], **_: object) -> None:
    """Botocore's `provide-client-params` event: sign this one call with the account's credentials.

    `request_credentials` is looked at again on each attempt, so that retries refresh them.
    """
    current = acting.get()
    if current is not None and current.credentials is not None:
        context.setdefault("signing", {})["request_credentials"] = current.credentials


class Accounts:
    """The credentials of each account; assumed roles are refreshed by botocore as they expire.

    Args:
        caller: returns account id and ARN of the caller.
        source: returns the credentials that assume the roles.
        sts: returns the STS client.
        role_name: the role to assume in accounts other than the caller's own.
    """

    def __init__(
        self,
        *,
        caller: Callable[[], tuple[str, str]],
        source: Callable[[], Any],
        sts: Callable[[], Any],
        role_name: str | None,
    ) -> None:
        self._caller = caller
        self._source = source
        self._sts = sts
        self._role_name = role_name
        self._lock = threading.Lock()
        self._assumed: dict[str, Any] = {}

    def is_own(self, account: str) -> bool:
        """Whether it is the caller's own account, which the chain's own credentials read."""
        return account == self._caller()[0]

    def credentials(self, account: str) -> Any:
        """Credentials for calls in an account, None for the chain's own.

        Raises:
            UsageError: it is another account, and there is no role to assume.
            NoAwsError: the caller cannot be identified.
        """
        own, arn = self._caller()
        if account == own:
            return None
        if not self._role_name:
            raise UsageError(
                f"account {account} is not the caller's own ({own})",
                hint="name the role to assume there: --role-name NAME",
            )
        with self._lock:
            if account not in self._assumed:
                partition = arn.split(":")[1]
                self._assumed[account] = self._assume(
                    f"arn:{partition}:iam::{account}:role/{self._role_name.lstrip('/')}"
                )
            return self._assumed[account]

    def _assume(self, role_arn: str) -> Any:
        fetcher = AssumeRoleCredentialFetcher(
            # botocore would make a client for each role; one does for all.
            client_creator=lambda *_, **__: self._sts(),
            source_credentials=self._source(),
            role_arn=role_arn,
            extra_args={"RoleSessionName": SESSION_NAME},
            cache={},
        )
        return DeferredRefreshableCredentials(
            refresh_using=fetcher.fetch_credentials, method="assume-role"
        )
