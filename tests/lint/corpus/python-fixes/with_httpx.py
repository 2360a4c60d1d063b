import httpx

IMDS = "http://169.254.169.254"
print(httpx.get(f"{IMDS}/latest/meta-data/instance-id", timeout=2).text)
