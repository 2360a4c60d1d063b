"""Requests, settings and embedded texts of PowerShell scripts."""

import pytest
from language_facts import embedded, one, requests, settings, shown

KIND = "powershell"

SENT = {
    "Invoke-RestMethod -Uri $BASE/user-data": "Invoke-RestMethod GET /latest/user-data no",
    "irm '$BASE/'": "Invoke-RestMethod GET /latest/ no",
    "INVOKE-WEBREQUEST -usebasicparsing $BASE/": "Invoke-WebRequest GET /latest/ no",
    "(iwr -Uri $BASE/ -UseBasicParsing).Content": "Invoke-WebRequest GET /latest/ no",
    "curl $BASE/": "Invoke-WebRequest GET /latest/ no",
    'Invoke-RestMethod -Headers @{"$TTL" = "60"} -Method Put -Uri $BASE/api/token': (
        "Invoke-RestMethod PUT /latest/api/token no"
    ),
    'irm -Head @{"$TOKEN" = $t} -Uri "$BASE/"': "Invoke-RestMethod GET /latest/ yes",
    '$h = @{"$TOKEN" = $t}; irm $BASE/ -Headers $h': "Invoke-RestMethod GET /latest/ yes",
    '$h = @{}; $h["$TOKEN"] = $t; irm $BASE/ -Headers:$h': "Invoke-RestMethod GET /latest/ yes",
    '$h = @{}; $h.Add("$TOKEN", $t); irm $BASE/ -Headers $h': "Invoke-RestMethod GET /latest/ yes",
    '$p = @{ uri = "$BASE/"; headers = @{ "$TOKEN" = $t } }; irm @p': (
        "Invoke-RestMethod GET /latest/ yes"
    ),
    "(New-Object Net.WebClient).DownloadString('$BASE/')": "WebClient GET /latest/ no",
    "[System.Net.WebClient]::new().DownloadString('$BASE/')": "WebClient GET /latest/ no",
    "$w = New-Object System.Net.WebClient; $w.Headers['$TOKEN'] = $t; $w.DownloadData('$BASE/')": (
        "WebClient GET /latest/ yes"
    ),
    "$r = [Net.WebRequest]::Create('$BASE/'); $r.Method = 'PUT'; $r.GetResponse()": (
        "WebRequest PUT /latest/ no"
    ),
    "$b = '169.254.169.254'; irm (\"http://{0}/latest/{1}\" -f $b, 'user-data')": (
        "Invoke-RestMethod GET /latest/user-data no"
    ),
    "$b = '$BASE'; irm ($b + '/user-data')": "Invoke-RestMethod GET /latest/user-data no",
    "irm -NoProxy -Uri $BASE/ | ConvertTo-Json": "Invoke-RestMethod GET /latest/ no",
}


@pytest.mark.parametrize("call", SENT)
def test_each_way_to_ask_is_read(call: str) -> None:
    assert shown(one(KIND, call + "\n"), "client method path token") == SENT[call]


def test_functions_take_their_arguments_by_name_and_by_position() -> None:
    text = """
function Get-Imds {
    param([string]$Path, [hashtable]$Headers = @{})
    Invoke-RestMethod -Uri "$BASE/$Path" -Headers $Headers
}
Get-Imds -Path 'a' -Headers @{ '$TOKEN' = $token }
Get-Imds 'b'
"""
    assert [shown(r, "path token") for r in requests(KIND, text)] == [
        "/latest/a yes",
        "/latest/b no",
    ]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("$m = irm $BASE/ -ErrorAction SilentlyContinue", "no"),
        ("$m = irm $BASE/ -EA Ignore", "no"),
        ("try { $m = irm $BASE/ } catch { }", "no"),
        ("try { $m = irm $BASE/ } catch { Write-Error $_; exit 1 }", "yes"),
        ("$ErrorActionPreference = 'Stop'\n$m = irm $BASE/", "yes"),
        ("$m = irm $BASE/", "unknown"),
    ],
)
def test_what_an_error_does_is_told(code: str, told: str) -> None:
    assert one(KIND, code + "\n").checked == told


def test_the_module_comments_messages_other_clouds_and_mocks_are_no_requests() -> None:
    for text in (
        "Get-EC2InstanceMetadata -Category InstanceId",
        "# irm $BASE/\nWrite-Host 'see $BASE/'",
        "<#\nirm $BASE/\n#>",
        "irm http://169.254.170.2/latest/meta-data/",
        "irm -Headers @{ Metadata = 'true' } -Uri 'http://169.254.169.254/metadata/instance'",
        "Mock Invoke-RestMethod { 'x' }\nInvoke-RestMethod $BASE/",
    ):
        assert requests(KIND, text + "\n") == []


def test_settings_commands_and_scripts_are_told() -> None:
    text = (
        "$env:AWS_EC2_METADATA_DISABLED = 'true'\n"
        '[Environment]::SetEnvironmentVariable("AWS_EC2_METADATA_V1_DISABLED", "false", "User")\n'
        "if ($env:AWS_EC2_METADATA_DISABLED -eq 'true') { exit }\n"
        "curl.exe -s $BASE/user-data\n"
        '$data = @"\n<powershell>\n$id = irm $BASE/meta-data/instance-id\n</powershell>\n"@\n'
    )

    assert settings(KIND, text) == [
        (1, "AWS_EC2_METADATA_DISABLED", "true"),
        (2, "AWS_EC2_METADATA_V1_DISABLED", "false"),
    ]
    assert [(kind, lines) for kind, _, lines in embedded(KIND, text)] == [
        ("shell", (4,)),
        ("user-data", (6, 7, 8)),
    ]
