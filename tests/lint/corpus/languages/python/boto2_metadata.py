import sys

import boto.utils
from boto.ec2 import connect_to_region


def main():
    md = boto.utils.get_instance_metadata()
    region = md["placement"]["availability-zone"][:-1]
    conn = connect_to_region(region)
    for volume in conn.get_all_volumes(filters={"attachment.instance-id": md["instance-id"]}):
        sys.stdout.write(volume.id + "\n")


main()
