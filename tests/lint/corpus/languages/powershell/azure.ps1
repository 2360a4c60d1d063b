$compute = Invoke-RestMethod -Headers @{ Metadata = 'true' } -Uri 'http://169.254.169.254/metadata/instance?api-version=2021-02-01' -NoProxy
Get-EC2InstanceMetadata -Category InstanceId
Write-Host 'or ask http://169.254.169.254/latest/meta-data/instance-id'
