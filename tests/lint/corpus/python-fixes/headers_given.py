import json
import requests
document = requests.get(
    "http://169.254.169.254/latest/dynamic/instance-identity/document",
    headers={
        "Accept": "application/json",
        "User-Agent": "tagger/1.2",
    },
    timeout=3,
)
document.raise_for_status()
print(json.loads(document.text)["instanceId"], requests.head("http://169.254.169.254/latest/meta-data/", headers={}).status_code)
