from io import BytesIO

import pycurl

buffer = BytesIO()
c = pycurl.Curl()
c.setopt(c.URL, "http://169.254.169.254/latest/meta-data/public-ipv4")
c.setopt(c.WRITEDATA, buffer)
c.setopt(c.FAILONERROR, True)
c.perform()
c.close()
