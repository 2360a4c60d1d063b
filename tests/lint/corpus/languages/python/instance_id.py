#!/usr/bin/env python3
"""Prints the instance id."""
import requests

def instance_id():
    r = requests.get("http://169.254.169.254/latest/meta-data/instance-id", timeout=2)
    r.raise_for_status()
    return r.text

if __name__ == "__main__":
    print(instance_id())
