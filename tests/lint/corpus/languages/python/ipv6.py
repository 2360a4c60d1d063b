import urllib3

http = urllib3.PoolManager(timeout=1.0)
r = http.request("GET", "http://[fd00:ec2::254]/latest/meta-data/instance-id")
if r.status != 200:
    raise SystemExit("no metadata")
print(r.data.decode())
