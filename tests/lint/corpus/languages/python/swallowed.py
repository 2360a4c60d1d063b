import requests

URL = "http://169.254.169.254/latest"


token = requests.put(URL + "/api/token", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"}, timeout=1).text
instance_id = ""
H = {"X-aws-ec2-metadata-token": token}
try:
    instance_id = requests.get(URL + "/meta-data/instance-id", headers=H, timeout=1).text
except Exception:
    pass
print("register", instance_id)
