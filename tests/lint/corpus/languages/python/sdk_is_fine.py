import boto3
from botocore.utils import InstanceMetadataFetcher, InstanceMetadataRegionFetcher
from ec2_metadata import ec2_metadata

print(ec2_metadata.instance_id, ec2_metadata.region)
credentials = InstanceMetadataFetcher(timeout=1, num_attempts=2).retrieve_iam_role_credentials()
region = InstanceMetadataRegionFetcher().retrieve_region()
boto3.client("ec2", region_name=region).describe_instances()
