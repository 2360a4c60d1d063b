from mycompany.net import http_get


print(http_get("http://169.254.169.254/latest/meta-data/instance-id"))
