$client = New-Object System.Net.WebClient
$userData = $client.DownloadString('http://169.254.169.254/latest/user-data')
Set-Content -Path C:\boot\user-data.txt -Value $userData
