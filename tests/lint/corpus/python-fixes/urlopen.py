from urllib.request import urlopen

with urlopen("http://169.254.169.254/latest/meta-data/local-ipv4", timeout=2) as response:
    print(response.read().decode())
print(urlopen("http://169.254.169.254/latest/meta-data/mac").read().decode(), end="\n")
