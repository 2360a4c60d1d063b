"""The calls of Elastic Beanstalk that describe, update and abort (API version 2010-12-01)."""

from collections.abc import Iterable
from typing import Any, Final

from moto.core.responses import ActionResult, EmptyResult
from moto.elasticbeanstalk.exceptions import InvalidParameterValueError
from moto.elasticbeanstalk.responses import EBResponse
from werkzeug.exceptions import HTTPException

from imdsctl.simulator import (
    _moto_env,  # noqa: F401 - must come before moto
    replies,
)
from imdsctl.simulator.beanstalk.environments import (
    DISABLE_IMDSV1,
    VARIABLES,
    Environment,
    Option,
    environments_of,
)
from imdsctl.simulator.calls import Call

_CALL: Final = Call("", "", "elasticbeanstalk", "UpdateEnvironment", "query")
_PLATFORM: Final = "64bit Amazon Linux 2 v3.9.0 running Corretto 17"


class _RefusedError(HTTPException):
    """A refusal with a code that is in no service model, so that moto cannot put it on the wire."""

    def __init__(self, error_code: str, message: str) -> None:
        super().__init__()
        reply = replies.error(_CALL, error_code, message, 400)
        self.code = 400
        # moto takes `description` as the response body.
        self.description = reply.body.decode()

    def get_headers(self, *_: object, **__: object) -> list[tuple[str, str]]:
        """The headers of the error response."""
        return [("Content-Type", "text/xml;charset=UTF-8")]


def install() -> None:
    """See `imdsctl.simulator.beanstalk.install`."""
    for operation in (
        describe_environments,
        describe_configuration_settings,
        describe_events,
        update_environment,
        abort_environment_update,
    ):
        # moto's type hints know nothing of being extended, hence setattr.
        setattr(EBResponse, operation.__name__, operation)


def describe_environments(self: Any) -> ActionResult:
    """DescribeEnvironments, by names, ids and application; what does not exist is left out."""
    names, ids = self._get_param("EnvironmentNames", []), self._get_param("EnvironmentIds", [])
    application = self._get_param("ApplicationName")
    found = [
        _view(one)
        for one in environments_of(self.elasticbeanstalk_backend).values()
        if (not names or one.name in names)
        and (not ids or one.id in ids)
        and application in (None, one.application)
    ]
    return ActionResult({"Environments": found})


def describe_configuration_settings(self: Any) -> ActionResult:
    """DescribeConfigurationSettings: the deployed ones, and a draft that is not deployed."""
    environment = _asked(self)
    if self._get_param("ApplicationName") != environment.application:
        raise InvalidParameterValueError(
            f"No Application named '{self._get_param('ApplicationName')}' found."
        )
    sets = [_settings(environment, environment.settings, "deployed", environment.updated)]
    if environment.draft is not None:
        sets.append(
            _settings(
                environment,
                environment.draft,
                environment.draft_status,
                environment.draft_updated,
            )
        )
    return ActionResult({"ConfigurationSettings": sets})


def describe_events(self: Any) -> ActionResult:
    """DescribeEvents, the newest first."""
    name, application = self._get_param("EnvironmentName"), self._get_param("ApplicationName")
    events = [
        event
        for one in environments_of(self.elasticbeanstalk_backend).values()
        if name in (None, one.name) and application in (None, one.application)
        for event in one.events
    ]
    events.sort(key=lambda event: event["EventDate"], reverse=True)
    return ActionResult({"Events": events[: self._get_param("MaxRecords") or 1000]})


def update_environment(self: Any) -> ActionResult:
    """UpdateEnvironment with option settings; the environment must be Ready."""
    environment = _asked(self)
    settings = dict(environment.settings)
    for option in self._get_param("OptionSettings", []):
        name = (str(option.get("Namespace")), str(option.get("OptionName")))
        settings[name] = _checked(environment, name, option.get("Value"))
    for option in self._get_param("OptionsToRemove", []):
        settings.pop((str(option.get("Namespace")), str(option.get("OptionName"))), None)
    if environment.status != "Ready":
        raise _invalid_state(environment)
    environment.configure(settings)
    return ActionResult(_view(environment))


def abort_environment_update(self: Any) -> EmptyResult:
    """AbortEnvironmentUpdate: the previous configuration comes back."""
    environment = _asked(self)
    if environment.update is None or not environment.update.abortable:
        raise _invalid_state(environment, "an abortable operation in progress")
    environment.abort()
    return EmptyResult()


def _asked(self: Any) -> Environment:
    """The environment that a call names, by name or id."""
    name, key = self._get_param("EnvironmentName"), self._get_param("EnvironmentId")
    if not name and not key:
        raise _RefusedError(
            "MissingRequiredParameter", "Either EnvironmentName or EnvironmentId must be specified."
        )
    for one in environments_of(self.elasticbeanstalk_backend).values():
        if name in (None, one.name) and key in (None, one.id):
            return one
    what = f"EnvironmentName = '{name}'" if name else f"EnvironmentId = '{key}'"
    raise InvalidParameterValueError(f"No Environment found for {what}.")


def _invalid_state(environment: Environment, must: str = "Ready") -> InvalidParameterValueError:
    return InvalidParameterValueError(
        f"Environment named {environment.name} is in an invalid state for this operation. "
        f"Must be {must}."
    )


def _checked(environment: Environment, name: Option, value: Any) -> str:
    if name[0] != VARIABLES and name not in {DISABLE_IMDSV1, *environment.settings}:
        raise InvalidParameterValueError(
            f"Invalid option specification (Namespace: '{name[0]}', OptionName: '{name[1]}'): "
            "Unknown configuration setting."
        )
    if name == DISABLE_IMDSV1 and value not in {"true", "false"}:
        raise _RefusedError(
            "ConfigurationValidationException",
            f"Configuration validation exception: Invalid option value: '{value}' (Namespace: "
            f"'{name[0]}', OptionName: '{name[1]}'): Value is not one of the allowed values: "
            "[true, false]",
        )
    return str(value)


def _view(environment: Environment) -> dict[str, Any]:
    update, health = environment.update, environment.health
    return {
        "EnvironmentName": environment.name,
        "EnvironmentId": environment.id,
        "ApplicationName": environment.application,
        "SolutionStackName": _PLATFORM,
        "DateCreated": environment.created,
        "DateUpdated": environment.updated or environment.created,
        "Status": environment.status,
        "AbortableOperationInProgress": bool(update is not None and update.abortable),
        "Health": health,
        "Tier": {"Name": "WebServer", "Type": "Standard", "Version": "1.0"},
        "EnvironmentArn": (
            f"arn:aws:elasticbeanstalk:{environment.region}:{environment.account}:environment/"
            f"{environment.application}/{environment.name}"
        ),
    }


def _settings(
    environment: Environment, settings: dict[Option, str], status: str, updated: Any
) -> dict[str, Any]:
    return {
        "SolutionStackName": _PLATFORM,
        "ApplicationName": environment.application,
        "EnvironmentName": environment.name,
        "DeploymentStatus": status,
        "DateCreated": environment.created,
        "DateUpdated": updated or environment.created,
        "OptionSettings": list(_options(settings)),
    }


def _options(settings: dict[Option, str]) -> Iterable[dict[str, str]]:
    """All option settings; one that is not set is listed without a value."""
    for namespace, name in sorted({DISABLE_IMDSV1, *settings}):
        option = {"Namespace": namespace, "OptionName": name}
        value = settings.get((namespace, name))
        yield option if value is None else {**option, "Value": value}
