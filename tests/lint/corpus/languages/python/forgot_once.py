import requests

BASE = "http://169.254.169.254/latest/"


def token():
    return requests.put(BASE + "api/token", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"}).text


headers = {"X-aws-ec2-metadata-token": token()}
role = requests.get(
    BASE + "meta-data/iam/security-credentials/",
    headers=headers,
    timeout=5,
).text
# the second call goes without
creds = requests.get(BASE + "meta-data/iam/security-credentials/" + role, timeout=5).json()
print(creds["AccessKeyId"])
