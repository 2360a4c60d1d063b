"""The metadata service as a context manager."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from imdsctl.emulator.background import Background
from imdsctl.emulator.calls import Call
from imdsctl.emulator.settings import Behaviour, Fault, Settings
from imdsctl.imds.options import Options


class Imds:
    """A metadata service on loopback, in a thread, between `with` and its end.

    Args:
        http_tokens: `optional` allows IMDSv1, `required` refuses it.
        hop_limit: hops that the answer to a token request can take.
        endpoint: `disabled` answers everything with 403.
        ipv6: listen on ::1, too.
        values: the instance's values, as docs/emulator.md lists them.
        options: more metadata options by AWS's names; they override the arguments before.
        port: 0 lets the system choose.
        keep_alive: hold connections open; False closes each after one answer.
        redirect_directories: answer a directory without its slash with 301.
        latency: seconds before each answer.
        faults: such as `503:0.1`, `timeout:1:token`.
        seed: makes the draw of faults the same each time.

    Raises:
        ValueError: an option or value is wrong; the message names it.
    """

    def __init__(
        self,
        *,
        http_tokens: str = "optional",
        hop_limit: int = 1,
        endpoint: str = "enabled",
        ipv6: bool = False,
        values: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        port: int = 0,
        keep_alive: bool = True,
        redirect_directories: bool = False,
        latency: float = 0.0,
        faults: tuple[str, ...] | list[str] = (),
        seed: int | None = None,
    ) -> None:
        members: dict[str, Any] = {
            "http_tokens": http_tokens,
            "http_put_response_hop_limit": hop_limit,
            "http_endpoint": endpoint,
            "http_protocol_ipv6": "enabled" if ipv6 else "disabled",
            **(options or {}),
        }
        parsed = Options.from_mapping(members)
        self._background = Background(
            Settings(
                port=port,
                ipv6=parsed.ipv6_enabled,
                options=parsed,
                values=values or {},
                keep_alive=keep_alive,
                redirect_directories=redirect_directories,
                behaviour=Behaviour(latency, None, tuple(Fault.parse(one) for one in faults)),
                seed=seed,
            )
        )
        self._emulator = self._background.emulator

    def __enter__(self) -> Self:
        self._background.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._background.__exit__(kind, error, trace)

    @property
    def url(self) -> str:
        """Where it answers, without a slash at the end: `http://127.0.0.1:40123`."""
        return self._emulator.url

    @property
    def ipv6_url(self) -> str | None:
        """Where it answers over IPv6, None if it does not."""
        return self._emulator.ipv6_url

    @property
    def port(self) -> int:
        """The port of `url`."""
        return self._emulator.port

    @property
    def v1_calls(self) -> int:
        """Requests without a session token so far, refused ones among them."""
        return self._emulator.calls.count("v1")

    @property
    def v2_calls(self) -> int:
        """Requests with a session token so far, valid or not."""
        return self._emulator.calls.count("v2")

    @property
    def token_calls(self) -> int:
        """Requests for a session token so far."""
        return self._emulator.calls.count("token")

    @property
    def requests(self) -> list[Call]:
        """The last 10,000 requests, oldest first: method, path, version, status, user agent."""
        return self._emulator.calls.list()

    def reset(self) -> None:
        """Count from zero again."""
        self._emulator.calls.clear()

    @property
    def options(self) -> dict[str, Any]:
        """The five metadata options as they are."""
        return self._emulator.service.options.members()

    def set_options(self, **members: Any) -> None:
        """Change metadata options by AWS's names, from the next request on.

        Raises:
            ValueError: an unknown member or value; nothing was changed.
        """
        self._emulator.set_options(**members)

    def set_values(self, **values: Any) -> None:
        """Change values of the instance, from the next request on.

        Raises:
            ValueError: an unknown name or a wrong value; nothing was changed.
        """
        self._emulator.set_values(values)

    def environment(self) -> dict[str, str]:
        """Environment variables that make AWS SDKs and the CLI call this service.

        Credentials, profiles and proxies of the surrounding environment still come first: see
        `isolated_environment`. Clients that know only IMDSv1 mostly ignore these variables.
        """
        return {
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.url,
            "AWS_EC2_METADATA_DISABLED": "false",
            "NO_PROXY": "127.0.0.1,localhost,::1",
            "no_proxy": "127.0.0.1,localhost,::1",
        }

    def isolated_environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """`base` without what would keep an SDK from asking the service, and with `environment`."""
        kept = {name: text for name, text in base.items() if name not in SHADOWING}
        return {**kept, **self.environment()}


SHADOWING = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
"""Variables from which SDKs take credentials before they ask the metadata service."""
