import os
import subprocess

# keep boto3 away from the instance's role
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
os.environ.setdefault("AWS_EC2_METADATA_V1_DISABLED", "false")
if os.environ.get("AWS_EC2_METADATA_DISABLED") == "true":
    subprocess.run(["aws", "s3", "ls"], check=True)

env = {**os.environ, "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://localhost:1338/"}
subprocess.run(["aws", "sts", "get-caller-identity"], env=env, check=True)
