import urllib.request


def get(path):
    request = urllib.request.Request(f"http://169.254.169.254/latest/{path}")
    request.add_header("User-Agent", "check/1.0")
    return urllib.request.urlopen(request).read().decode()


print(get("meta-data/hostname"))
print(get("meta-data/instance-id"))
