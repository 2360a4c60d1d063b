import requests

TTL = {"X-aws-ec2-metadata-token-ttl-seconds": "21600"}


def a():
    return requests.put("http://169.254.169.254/latest/api/token/", headers=TTL, timeout=1).text


def b():
    version = "2021-03-23"
    url = "http://169.254.169.254/%s/api/token" % version
    response = requests.put(url, headers=TTL, timeout=1)
    response.raise_for_status()
    return response.text
