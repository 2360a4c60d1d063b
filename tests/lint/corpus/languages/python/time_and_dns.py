import socket

import ntplib
import requests

ntplib.NTPClient().request("169.254.169.123")
socket.create_connection(("169.254.169.253", 53))
requests.get("http://127.0.0.1:1338/latest/meta-data/instance-id")
