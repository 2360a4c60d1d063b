import requests
import urllib.request

print(requests.get("http://169.254.169.254/latest/meta-data/instance-id").text)
print(urllib.request.urlopen("http://169.254.169.254/latest/meta-data/ami-id").read().decode())
