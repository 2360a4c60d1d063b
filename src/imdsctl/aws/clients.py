"""The AWS clients: one for each service and region, shared by all accounts and threads.

A client costs tens of milliseconds and megabytes; an account has none of its own, its credentials
are set call by call. Retries, endpoints, signing, profiles and SSO are botocore's.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

import botocore.session
from botocore.config import Config
from botocore.loaders import create_loader

from imdsctl.aws.budget import Budget
from imdsctl.aws.credentials import Accounts, Acting, acting, sign_with_account
from imdsctl.aws.errors import AWS_ERRORS, THROTTLING, no_identity, no_program, raise_if_no_aws
from imdsctl.aws.fastpath import take_instances
from imdsctl.aws.model import prune
from imdsctl.aws.series import put_queries_in, set_queries_aside, take_series
from imdsctl.model.diagnostics import UsageError
from imdsctl.model.evidence import Cell
from imdsctl.ports import Clock

_FALLBACK_REGION: Final = "us-east-1"
_USER_AGENT: Final = "imdsctl"

# A page of 1,000 instances takes AWS some seconds; a change is answered at once or not at all.
_READING: Final = Config(
    retries={"mode": "standard", "total_max_attempts": 5},
    connect_timeout=5,
    read_timeout=60,
    max_pool_connections=64,
    user_agent_extra=_USER_AGENT,
)
_CHANGING: Final = Config(
    retries={"mode": "standard", "total_max_attempts": 1},
    connect_timeout=5,
    read_timeout=30,
    max_pool_connections=32,
    user_agent_extra=_USER_AGENT,
)


# Service models are read and cut down once in a process: it takes a third of a second.
_loader = cache(create_loader)


class Clients:
    """AWS calls in any account and region, within the budgets; safe to use from many threads.

    Args:
        role_name: the role to assume in accounts other than the caller's own.
        clock: does the waiting for the budgets.
        share: the part of AWS's published rates to use.

    Raises:
        NoAwsError: there is no such profile.
        UsageError: the AWS configuration makes no sense.
    """

    def __init__(self, *, role_name: str | None, clock: Clock, share: float = 0.5) -> None:
        # At its debug level botocore logs whole requests and answers, with credentials and user
        # data in them: no setting of ours or of anyone's root logger may bring that about.
        for name in ("botocore", "urllib3"):
            logger = logging.getLogger(name)
            logger.setLevel(max(logger.level, logging.INFO))
        self._session = botocore.session.Session()
        self._loader = _loader(self._setting("data_path"))
        self._session.register_component("data_loader", self._loader)
        self._pruned: set[str] = set()
        self._clients: dict[tuple[str, str, bool], Any] = {}
        # botocore's sessions are not thread-safe, its clients are.
        self._making = threading.RLock()
        self._identity: tuple[str, str] | None = None
        self.budget = Budget(clock, share)
        self.accounts = Accounts(
            caller=self.caller,
            source=self._session.get_credentials,
            sts=lambda: self._client("sts", self.home_region),
            role_name=role_name,
        )

    @property
    def home_region(self) -> str:
        """The region of the caller's AWS settings, where STS and the list of regions are asked."""
        return str(self._setting("region") or _FALLBACK_REGION)

    def _setting(self, name: str) -> Any:
        """A setting of the AWS configuration, whose files are read by the first such look.

        Raises:
            NoAwsError: there is no such profile.
            UsageError: the AWS configuration makes no sense.
        """
        try:
            return self._session.get_config_variable(name)
        except AWS_ERRORS as problem:
            raise_if_no_aws(problem, own=True)
            raise

    def caller(self) -> tuple[str, str]:
        """Account id and ARN of the caller; asked once.

        Raises:
            NoAwsError: there are no valid credentials, or AWS cannot be reached.
            UsageError: the AWS configuration makes no sense.
        """
        with self._making:
            if self._identity is None:
                try:
                    answer = self._client("sts", self.home_region).get_caller_identity()
                except AWS_ERRORS as problem:
                    raise_if_no_aws(problem, own=True)
                    raise no_identity(problem) from None
                self._identity = (answer["Account"], answer["Arn"])
            return self._identity

    def read(self, cell: Cell, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Make one reading call, with botocore's retries.

        Raises:
            AWS_ERRORS: the call failed.
        """
        client = self._client(service, cell.region)
        with self._acting(cell):
            answer: dict[str, Any] = getattr(client, _snake(operation))(**parameters)
        return answer

    def pages(
        self, cell: Cell, service: str, operation: str, **parameters: Any
    ) -> Iterator[dict[str, Any]]:
        """All pages of a list, as botocore's paginator gives them.

        Raises:
            AWS_ERRORS: a call failed.
        """
        client = self._client(service, cell.region)
        pages = iter(client.get_paginator(_snake(operation)).paginate(**parameters))
        while True:
            # Not around the whole loop: between two pages the thread belongs to the consumer.
            with self._acting(cell):
                page = next(pages, None)
            if page is None:
                return
            yield page

    def change(self, cell: Cell, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Make one changing call, once and never again.

        Raises:
            AWS_ERRORS: the call failed.
        """
        client = self._client(service, cell.region, changing=True)
        with self._acting(cell):
            answer: dict[str, Any] = getattr(client, _snake(operation))(**parameters)
        return answer

    def has_parameter(self, service: str, operation: str, name: str) -> bool:
        """Whether this version of botocore knows a parameter of an operation."""
        client = self._client(service, self.home_region)
        shape = client.meta.service_model.operation_model(operation).input_shape
        return shape is not None and name in shape.members

    @contextmanager
    def _acting(self, cell: Cell) -> Iterator[None]:
        token = acting.set(Acting(cell, self.accounts.credentials(cell.account)))
        try:
            yield
        finally:
            acting.reset(token)

    def _client(self, service: str, region: str, *, changing: bool = False) -> Any:
        key = (service, region, changing)
        if client := self._clients.get(key):
            return client
        with self._making:
            if key not in self._clients:
                self._clients[key] = self._make(service, region, changing=changing)
            return self._clients[key]

    def _make(self, service: str, region: str, *, changing: bool) -> Any:
        try:
            if service not in self._pruned:
                prune(service, self._loader.load_service_model(service, "service-2"))
                self._pruned.add(service)
            client = self._session.create_client(
                service, region_name=region, config=_CHANGING if changing else _READING
            )
        except AWS_ERRORS as problem:
            raise_if_no_aws(problem, own=True)
            raise
        except OSError as problem:
            raise no_program(problem) from None
        except ValueError as problem:
            raise UsageError(
                "the AWS configuration makes no sense",
                detail=str(problem),
                hint="check AWS_ENDPOINT_URL, the region and ~/.aws/config",
            ) from None
        events = client.meta.events
        hyphenated = client.meta.service_model.service_id.hyphenize()
        if service == "sts":
            # Roles are assumed with the chain's own credentials, whatever the thread is acting as.
            return client
        events.register(f"provide-client-params.{hyphenated}", sign_with_account)
        # First, because a signature holds the time: wait for the budget, then sign.
        events.register_first(f"request-created.{hyphenated}", self._drawer(service))
        events.register(f"response-received.{hyphenated}", self._watcher(service))
        events.register("before-parse.ec2.DescribeInstances", take_instances)
        events.register("provide-client-params.cloudwatch.GetMetricData", set_queries_aside)
        events.register("before-call.cloudwatch.GetMetricData", put_queries_in)
        events.register("before-parse.cloudwatch.GetMetricData", take_series)
        return client

    def _drawer(self, service: str) -> Any:
        def draw(operation_name: str, **_: object) -> None:
            current = acting.get()
            if current is not None:
                self.budget.draw(current.cell, service, operation_name)

        return draw

    def _watcher(self, service: str) -> Any:
        def watch(event_name: str, parsed_response: dict[str, Any] | None, **_: object) -> None:
            current = acting.get()
            if current is None or parsed_response is None:
                return
            operation = event_name.rsplit(".", 1)[-1]
            if parsed_response.get("Error", {}).get("Code") in THROTTLING:
                self.budget.throttled(current.cell, service, operation)
            else:
                self.budget.succeeded(current.cell, service, operation)

        return watch


def _snake(operation: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in operation).lstrip("_")
