import os

import requests

PROXIES = {"http": "http://proxy.example.com:3128", "https": "http://proxy.example.com:3128"}
H = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
r = requests.put("http://169.254.169.254/latest/api/token", headers=H, proxies=PROXIES)
r.raise_for_status()
direct = requests.Session()
direct.trust_env = False
ok = direct.get("http://169.254.169.254/latest/meta-data/", headers={"X-aws-ec2-metadata-token": r.text})
ok.raise_for_status()

os.environ["http_proxy"] = "http://proxy.example.com:3128"
late = requests.get("http://169.254.169.254/latest/meta-data/mac", headers={"X-aws-ec2-metadata-token": r.text})
late.raise_for_status()
