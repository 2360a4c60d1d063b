import subprocess

URL = "http://169.254.169.254/latest/"
token = subprocess.check_output(
    ["curl", "-sf", "-X", "PUT", URL + "api/token", "-H", "X-aws-ec2-metadata-token-ttl-seconds: 60"],
    text=True,
).strip()
instance_id = subprocess.check_output(
    ["curl", "-sf", "-H", f"X-aws-ec2-metadata-token: {token}", URL + "meta-data/instance-id"], text=True
)
