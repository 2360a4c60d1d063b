"""Puts this room's methods beside moto's, and their paths beside moto's paths."""

from imdsctl.simulator import _moto_env  # noqa: F401, I001 - must come before moto

from moto.eks import urls
from moto.eks.responses import EKSResponse

from imdsctl.simulator.eks import calls

_PATHS = (
    "{0}/clusters/(?P<name>[^/]+)/node-groups/(?P<nodegroupName>[^/]+)/update-version$",
    "{0}/clusters/(?P<name>[^/]+)/updates$",
    "{0}/clusters/(?P<name>[^/]+)/updates/(?P<updateId>[^/]+)$",
)


def install() -> None:
    """See `imdsctl.simulator.eks.install`."""
    for path in _PATHS:
        urls.url_paths.setdefault(path, urls.response.dispatch)
    # moto's type hints know nothing of being extended, hence setattr.
    for operation in (
        calls.describe_update,
        calls.list_nodegroups,
        calls.list_updates,
        calls.update_nodegroup_config,
        calls.update_nodegroup_version,
    ):
        setattr(EKSResponse, operation.__name__, operation)
