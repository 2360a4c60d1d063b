import httpx


class Metadata:
    """Instance metadata over IMDSv2."""

    URL = "http://169.254.169.254"

    def __init__(self):
        self.client = httpx.Client(base_url=self.URL, timeout=1.0, trust_env=False)
        self._token = None

    @property
    def token(self):
        if self._token is None:
            response = self.client.put("/latest/api/token", headers={"X-aws-ec2-metadata-token-ttl-seconds": "21600"})
            response.raise_for_status()
            self._token = response.text
        return self._token

    def _headers(self):
        return {"X-aws-ec2-metadata-token": self.token}

    def get(self, path):
        response = self.client.get(f"/latest/meta-data/{path}", headers=self._headers())
        response.raise_for_status()
        return response.text
