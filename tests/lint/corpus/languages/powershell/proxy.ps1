$headers = @{ 'X-aws-ec2-metadata-token-ttl-seconds' = '21600' }
$token = Invoke-RestMethod -Method PUT -Uri http://169.254.169.254/latest/api/token -Headers $headers -Proxy http://proxy.example.com:3128
