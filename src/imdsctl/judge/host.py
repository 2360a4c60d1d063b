"""What a host's own answer means for the change that was made to it."""

from imdsctl.model.evidence import Instance
from imdsctl.model.host import HostAnswer

_OK, _UNAUTHORIZED = 200, 401
_ECS_TAGS = ("AmazonECSManaged", "aws:ecs:")
_KUBERNETES_TAGS = ("kubernetes.io/cluster/", "eks:", "aws:eks:")


def problems(answer: HostAnswer, instance: Instance, http_tokens: str) -> list[str]:
    """What is wrong on the host, the worst first; empty where all is as it should be.

    Args:
        answer: what the probe answered there.
        instance: the instance as EC2 describes it now.
        http_tokens: what the change left: required or optional.
    """
    if answer.verdict == "imds-off":
        off = instance.options.http_endpoint == "disabled"
        return [] if off else ["the metadata service is switched off on the host"]
    found = [*_service(answer, http_tokens), *_agents(answer, instance.tags)]
    if answer.hop_limit_reaches is False:
        found.append(
            "a container on it gets no token: the hop limit "
            f"({instance.options.http_put_response_hop_limit}) is too low for it"
        )
    if answer.sts is not None and answer.sts.via is not None and not answer.sts.ok:
        found.append(
            f"AWS gave it no identity (sts get-caller-identity, through {answer.sts.via}): its "
            "credentials do not work, or it has no way to STS"
        )
    return found


def notes(answer: HostAnswer, instance: Instance) -> list[str]:
    """What the look could not see, and what it saw that is no fault."""
    found = []
    if answer.verdict == "imds-off":
        return ["IMDS is off: nothing else can be asked"]
    if not answer.credentials.found and answer.verdict != "broken":
        found.append("no instance role")
    if answer.hop_limit_reaches is None:
        found.append(f"containers not looked at: {answer.hop_limit_why or 'not known'}")
    if answer.sts is None:
        found.append("caller identity not asked for")
    elif answer.sts.via is None:
        found.append("caller identity not asked: neither the AWS CLI nor botocore is on it")
    elif answer.sts.arn is not None and not answer.sts.arn.endswith(f"/{instance.id}"):
        found.append(f"its AWS client uses other credentials than the role's: {answer.sts.arn}")
    return found


def _service(answer: HostAnswer, http_tokens: str) -> list[str]:
    """What is wrong with the metadata service as the host itself sees it."""
    found = []
    v1, token, v2 = answer.v1.status, answer.token.status, answer.v2.status
    if http_tokens == "required" and v1 == _OK:
        found.append("IMDSv1 still answers")
    elif v1 not in (_OK, _UNAUTHORIZED):
        found.append(f"without a token: {_said(v1)}, where 401 is due")
    elif http_tokens == "optional" and v1 == _UNAUTHORIZED:
        found.append("IMDSv1 is refused, though the change leaves tokens optional")
    if token != _OK:
        found.append(f"a request for a token: {_said(token)}")
    elif v2 != _OK:
        found.append(f"with a token: {_said(v2)}")
    elif answer.verdict == "broken" and not answer.credentials.found:
        found.append("a role is there and its credentials do not resolve")
    return found


def _agents(answer: HostAnswer, tags: dict[str, str]) -> list[str]:
    """The ECS agent and the kubelet, where the instance's tags or an answer say that one is due."""
    found = []
    ecs, kubelet = answer.ecs_agent.status, answer.kubelet.status
    if ecs != _OK and (ecs is not None or any(key.startswith(_ECS_TAGS) for key in tags)):
        found.append(f"the ECS agent (port 51678): {_said(ecs)}")
    due = any(key.startswith(_KUBERNETES_TAGS) for key in tags)
    if kubelet != _OK and (kubelet is not None or due):
        found.append(f"the kubelet's health check (port 10248): {_said(kubelet)}")
    return found


def _said(status: int | None) -> str:
    return "no answer" if status is None else f"answers {status}"
