$token = Invoke-RestMethod -Method Put -Uri 'http://169.254.169.254/latest/api/token' `
    -Headers @{ 'X-aws-ec2-metadata-token-ttl-seconds' = 60 } -ErrorAction Stop
$headers = @{ 'X-aws-ec2-metadata-token' = $token }
$ip = Invoke-RestMethod 'http://169.254.169.254/latest/meta-data/public-ipv4' -Headers $headers -ErrorAction SilentlyContinue
$mac = $null
try {
    $mac = (Invoke-WebRequest http://169.254.169.254/latest/meta-data/mac -UseBasicParsing).Content
} catch {
}
"$ip $mac"
