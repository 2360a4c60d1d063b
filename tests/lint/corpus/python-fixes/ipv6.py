import requests

print(requests.get("http://[fd00:ec2::254]/latest/meta-data/instance-id", timeout=2).text)
