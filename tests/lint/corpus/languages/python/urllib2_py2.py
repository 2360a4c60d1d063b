# -*- coding: utf-8 -*-
import json
import socket
import urllib2

socket.setdefaulttimeout(3)
INSTANCE_IDENTITY = 'http://169.254.169.254/latest/dynamic/instance-identity/document'

region = None
def get_region():
    try:
        doc = urllib2.urlopen(INSTANCE_IDENTITY).read()
    except Exception:
        doc = ''
    return json.loads(doc)['region']

print get_region()
