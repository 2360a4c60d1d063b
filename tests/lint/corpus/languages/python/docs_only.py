"""Tags this instance.

The instance id comes from `curl http://169.254.169.254/latest/meta-data/instance-id`.
"""
import argparse
import logging

# requests.get("http://169.254.169.254/latest/meta-data/instance-id")
METADATA_URL = "http://169.254.169.254/latest/meta-data/"
HELP = "instance id, as http://169.254.169.254/latest/meta-data/instance-id tells it"

parser = argparse.ArgumentParser()
parser.add_argument("--instance-id", required=True, help=HELP)
args = parser.parse_args()
logging.info("blocked address: %s", METADATA_URL)
print("Never allow http://169.254.169.254/latest/ in URLs of users")
