Describe 'Get-InstanceId' {
    It 'asks for it' {
        Mock Invoke-RestMethod { 'i-0abc' }
        Invoke-RestMethod -Uri 'http://169.254.169.254/latest/meta-data/instance-id' | Should -Be 'i-0abc'
    }
}
