# Größe und Ort – auf Deutsch
import requests

größe = requests.get("http://169.254.169.254/latest/meta-data/instance-type").text
print("größe:", größe)
