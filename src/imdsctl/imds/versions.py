"""The service's API versions, and the version in which each item first appears."""

from __future__ import annotations

LISTED = (
    "1.0",
    "2007-01-19",
    "2007-03-01",
    "2007-08-29",
    "2007-10-10",
    "2007-12-15",
    "2008-02-01",
    "2008-09-01",
    "2009-04-04",
    "2011-01-01",
    "2011-05-01",
    "2012-01-12",
    "2014-02-25",
    "2014-11-05",
    "2015-10-20",
    "2016-04-19",
    "2016-06-30",
    "2016-09-02",
    "2018-03-28",
    "2018-08-17",
    "2018-09-24",
    "2019-10-01",
    "2020-10-27",
    "2021-01-03",
    "2021-03-23",
    "2021-07-15",
    "2022-07-09",
    "2022-09-24",
    "2024-04-11",
    "latest",
)
"""What `GET /` lists, as instances showed it in 2024. AWS publishes no full list."""

DOCUMENTED = ("2016-11-15", "2018-05-23", "2020-08-24", "2020-11-01")
"""Versions that the User Guide's table of categories names, though instances do not list them."""

KNOWN = frozenset(LISTED + DOCUMENTED)
"""Versions that are answered."""

_SINCE = {
    # EC2 User Guide, "Instance metadata categories" and "Dynamic data categories".
    # `*` stands for one segment; what is not named here was there from the beginning.
    "meta-data/ancestor-ami-ids": "2007-10-10",
    "meta-data/autoscaling/target-lifecycle-state": "2021-07-15",
    "meta-data/block-device-mapping/*": "2007-12-15",
    "meta-data/events/maintenance/*": "2018-08-17",
    "meta-data/events/recommendations/rebalance": "2020-10-27",
    "meta-data/iam/info": "2012-01-12",
    "meta-data/iam/security-credentials/*": "2012-01-12",
    "meta-data/identity-credentials/ec2/info": "2018-05-23",
    "meta-data/identity-credentials/ec2/security-credentials/*": "2018-05-23",
    "meta-data/instance-action": "2008-09-01",
    "meta-data/instance-life-cycle": "2019-10-01",
    "meta-data/instance-type": "2007-08-29",
    "meta-data/ipv6": "2021-01-03",
    "meta-data/kernel-id": "2008-02-01",
    "meta-data/local-hostname": "2007-01-19",
    "meta-data/mac": "2011-01-01",
    "meta-data/metrics/vhostmd": "2011-05-01",
    "meta-data/network/interfaces/macs/*/ipv6-prefix": "2021-07-15",
    "meta-data/network/interfaces/macs/*/ipv6s": "2016-06-30",
    "meta-data/network/interfaces/macs/*/network-card": "2020-11-01",
    "meta-data/network/interfaces/macs/*/subnet-ipv6-cidr-blocks": "2016-06-30",
    "meta-data/network/interfaces/macs/*/vpc-ipv4-cidr-blocks": "2016-06-30",
    "meta-data/network/interfaces/macs/*/vpc-ipv6-cidr-blocks": "2016-06-30",
    "meta-data/network/interfaces/macs/*/*": "2011-01-01",
    "meta-data/network/interfaces/macs/*/*/*": "2011-01-01",
    "meta-data/placement/availability-zone": "2008-02-01",
    "meta-data/placement/availability-zone-id": "2019-10-01",
    "meta-data/placement/*": "2020-08-24",
    "meta-data/product-codes": "2007-03-01",
    "meta-data/public-hostname": "2007-01-19",
    "meta-data/public-ipv4": "2007-01-19",
    "meta-data/ramdisk-id": "2007-10-10",
    "meta-data/services/domain": "2014-02-25",
    "meta-data/services/partition": "2015-10-20",
    "meta-data/spot/instance-action": "2016-11-15",
    "meta-data/spot/termination-time": "2014-11-05",
    "meta-data/system": "2022-09-24",
    "meta-data/tags/instance/*": "2021-03-23",
    "dynamic/fws/instance-monitoring": "2009-04-04",
    "dynamic/instance-identity/*": "2009-04-04",
}
_PATTERNS = tuple((tuple(pattern.split("/")), since) for pattern, since in _SINCE.items())


def since(path: str) -> str:
    """The first version that has the item at `path` (below the version: `meta-data/ami-id`).

    The User Guide names no version for `ipv6-prefix`; 2021-07-15 is the first after the feature.
    """
    if exact := _SINCE.get(path):
        return exact
    segments = path.split("/")
    for pattern, version in _PATTERNS:
        if len(pattern) == len(segments) and all(
            pattern[i] in ("*", segments[i]) for i in range(len(pattern))
        ):
            return version
    return LISTED[0]


def has(version: str, first: str) -> bool:
    """Whether an item that is there since `first` is part of `version`.

    Dated versions sort as text, `1.0` before them and `latest` after.
    """
    return first <= version
