import sys

import requests  # the only dependency

BASE = "http://169.254.169.254/latest/meta-data/"


def metadata(path):
    response = requests.get(BASE + path, timeout=5)
    response.raise_for_status()
    return response.text


for path in ("ami-id", "instance-type", "placement/availability-zone"):
    print(path, metadata(path))
sys.exit(0)
