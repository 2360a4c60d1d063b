"""Brings a whole fleet file into being: every account, every region, and their history."""

from datetime import timedelta

from imdsctl.simulator import seed_autoscaling, seed_ec2
from imdsctl.simulator.beanstalk import seed as seed_beanstalk
from imdsctl.simulator.ecs import seed as seed_ecs
from imdsctl.simulator.fleetfile import Fleet
from imdsctl.simulator.world import World


def seed(world: World, fleet: Fleet) -> None:
    """Create everything that `fleet` describes in the simulated AWS in use.

    Args:
        world: the world it lives in; its start is what all ages count back from.
        fleet: the fleet file.
    """
    start = world.started_at
    recorded_from = start - timedelta(days=fleet.history_days)
    for account in fleet.accounts:
        for region in account.regions:
            seeded = seed_ec2.seed_region(
                account.id, region, start=start, history_days=fleet.history_days
            )
            seed_autoscaling.seed_region(
                account.id, region, seeded, start=start, recorded_from=recorded_from
            )
            seed_ecs.seed_region(account.id, region)
            seed_beanstalk.seed_region(account.id, region)
