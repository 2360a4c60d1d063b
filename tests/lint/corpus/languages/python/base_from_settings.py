import requests
from settings import IMDS  # http://169.254.169.254/latest


def token():
    answer = requests.put(
        f"{IMDS}/api/token", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"}, timeout=1
    )
    answer.raise_for_status()
    return answer.text
