$type = curl.exe -sf http://169.254.169.254/latest/meta-data/instance-type
Write-Host "this is a $type"
