import re

from ansible.module_utils.urls import fetch_url
import httplib

ec2_metadata_uri = 'http://169.254.169.254/latest/meta-data/'
SERVER = '169.254.169.254'


class Ec2Metadata(object):
    def _fetch(self, url):
        # plain http.client, the service needs nothing more
        conn = httplib.HTTPConnection(SERVER, timeout=4)
        conn.request('GET', url)
        return conn.getresponse().read()

    def run(self):
        return self._fetch('/latest/meta-data/hostname')


if __name__ == '__main__':
    print(Ec2Metadata().run())
