# Names the computer after its instance.
$ErrorActionPreference = 'Stop'
$id = Invoke-RestMethod -Uri http://169.254.169.254/latest/meta-data/instance-id -TimeoutSec 5
$zone = (Invoke-WebRequest -UseBasicParsing -Uri 'http://169.254.169.254/latest/meta-data/placement/availability-zone').Content
Rename-Computer -NewName $id -Force
Write-Output "renamed to $id in $zone"
