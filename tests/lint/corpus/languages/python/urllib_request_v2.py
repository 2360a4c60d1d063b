import urllib.request


def fetch(path, token):
    request = urllib.request.Request(f"http://169.254.169.254/latest/{path}")
    request.add_header("X-aws-ec2-metadata-token", token)
    with urllib.request.urlopen(request, timeout=2) as response:
        return response.read().decode()


def new_token():
    request = urllib.request.Request(
        "http://169.254.169.254/latest/api/token",
        headers={"X-aws-ec2-metadata-token-ttl-seconds": "300"},
        method="PUT",
    )
    return urllib.request.urlopen(request, timeout=2).read().decode()


print(fetch("meta-data/ami-id", new_token()))
