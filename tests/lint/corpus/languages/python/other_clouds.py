import requests

GCE = "http://169.254.169.254/computeMetadata/v1/instance/id"
gce = requests.get(GCE, headers={"Metadata-Flavor": "Google"}, timeout=1)
azure = requests.get(
    "http://169.254.169.254/metadata/instance?api-version=2021-02-01",
    headers={"Metadata": "true"},
    proxies={"http": None},
)
droplet = requests.get("http://169.254.169.254/metadata/v1/id")
nova = requests.get("http://169.254.169.254/openstack/latest/meta_data.json")
oracle = requests.get("http://169.254.169.254/opc/v2/instance/", headers={"Authorization": "Bearer Oracle"})
hetzner = requests.get("http://169.254.169.254/hetzner/v1/metadata")
