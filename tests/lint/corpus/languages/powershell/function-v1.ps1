function Get-Imds([string]$Path) {
    <#
    .SYNOPSIS
    Asks http://169.254.169.254/latest/meta-data/.
    #>
    return (irm ("http://169.254.169.254/latest/meta-data/{0}" -f $Path))
}

foreach ($path in 'ami-id', 'instance-id') { Get-Imds $path }
