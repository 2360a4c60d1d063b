#!/usr/bin/env python3
"""Prints the instance id."""
import requests

print(requests.get("http://169.254.169.254/latest/meta-data/instance-id", timeout=2).text)
