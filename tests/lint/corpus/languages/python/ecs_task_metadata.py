import os

import requests

uri = os.environ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]
creds = requests.get("http://169.254.170.2" + uri, timeout=2).json()
pod = requests.get("http://169.254.170.23/v1/credentials", timeout=2).json()
task = requests.get(os.environ["ECS_CONTAINER_METADATA_URI_V4"] + "/task").json()
