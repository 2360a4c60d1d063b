$env:AWS_EC2_METADATA_DISABLED = 'true'
[Environment]::SetEnvironmentVariable('AWS_EC2_METADATA_V1_DISABLED', 'false', 'Machine')
if ($env:AWS_EC2_METADATA_DISABLED -eq 'true') { aws s3 ls }
