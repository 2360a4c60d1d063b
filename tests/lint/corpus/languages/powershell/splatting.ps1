$base = 'http://169.254.169.254/latest'
$ask = @{
    Uri     = "$base/api/token"
    Method  = 'Put'
    Headers = @{ 'X-aws-ec2-metadata-token-ttl-seconds' = '300' }
}
$token = Invoke-RestMethod @ask
function Get-Metadata {
    param([string]$Path)
    $request = @{
        Uri     = "$base/meta-data/$Path"
        Headers = @{ 'X-aws-ec2-metadata-token' = $token }
    }
    Invoke-RestMethod @request
}
Get-Metadata -Path 'instance-type'
