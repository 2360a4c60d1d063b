#!/bin/sh
# What the metadata service of this host answers, as one JSON object: the same that
# `imdsctl host probe -o json` prints, for hosts where only a shell and curl, wget or bash is.
# No session token and no credential is printed or written to a file. Only with wget the token, good
# for one minute, stands on a command line: whoever can read it there can ask for one himself.
#
#   sh probe.sh [--endpoint URL] [--ipv6-endpoint URL] [--timeout SECONDS]
#               [--container-pid PID | --no-container] [--sts] [--client curl|wget|bash]
#
# Exit code: 0 V2 only or IMDS off, 1 anything worse, 2 used wrongly, 3 nothing answered.
set -u
LC_ALL=C
export LC_ALL

endpoint=http://169.254.169.254 ipv6= timeout=2 pid= look=yes sts=no client=
while [ $# -gt 0 ]; do
  case $1 in
    --endpoint | --ipv6-endpoint | --timeout | --container-pid | --client)
      [ $# -gt 1 ] || { echo "$1 needs a value" >&2; exit 2; } ;;
  esac
  case $1 in
    --endpoint) endpoint=${2%/}; shift ;;
    --ipv6-endpoint) ipv6=${2%/}; shift ;;
    --timeout) timeout=$2; shift ;;
    --container-pid) pid=$2; shift ;;
    --no-container) look=no ;;
    --sts) sts=yes ;;
    --client) client=$2; shift ;;
    *) echo "unknown option: $1" >&2; exit 2 ;;
  esac
  shift
done
[ -n "$ipv6" ] || [ "$endpoint" != http://169.254.169.254 ] || ipv6='http://[fd00:ec2::254]'

has() { command -v "$1" >/dev/null 2>&1; }
if [ -z "$client" ]; then
  if has curl; then client=curl
  elif has wget && wget --version 2>/dev/null | grep -q 'GNU Wget'; then client=wget
  elif has bash; then client=bash
  else echo "neither curl, GNU wget nor bash is here" >&2; exit 2
  fi
fi

limit=
has timeout && limit=timeout

# bash's own TCP: host, port, method, path, seconds; the header comes on stdin.
by_bash='
IFS= read -r header
whole=${5%%.*}; [ "$whole" -gt 0 ] || whole=1
exec 3<>"/dev/tcp/$1/$2" || exit 7
host=$1; case $1 in *:*) host="[$1]" ;; esac
printf "%s %s HTTP/1.0\r\nHost: %s:%s\r\n%s\r\n\r\n" "$3" "$4" "$host" "$2" "${header:-Accept: */*}" >&3
status= body=
while IFS= read -r -t "$whole" line <&3 || { [ $? -le 1 ] && [ -n "$line" ]; }; do
  if [ -z "$status" ]; then status=${line#* }; status=${status%% *}; state=head; continue; fi
  line=${line%"$(printf "\r")"}
  if [ $state = head ]; then [ -n "$line" ] || state=body; continue; fi
  body="$body$line
"
done
printf "%s\n%s" "$body" "$status"
'

# ask PREFIX METHOD URL HEADER: sets `status` (empty for no answer) and `body`.
ask() {
  case $client in
    curl)
      answer=$(
        { [ -z "$4" ] || printf 'header = "%s"\n' "$4"; } |
          $1 curl -q -sg --noproxy '*' -m "$timeout" -X "$2" -K - -w '\n%{http_code}' "$3" 2>/dev/null
      ) || [ -n "$answer" ]
      ;;
    wget)
      # -S puts the headers on stderr, two columns in, before the body; it shows those of a 401, too.
      answer=$(
        $1 wget --no-config --no-proxy -q -S -O - --content-on-error --method="$2" \
          ${4:+--header="$4"} -T "$timeout" -t 1 "$3" 2>&1 |
          awk '!body && /^  / { if ($1 ~ /^HTTP\//) status = $2; next }
               { body = 1; print }
               END { printf "\n%s", status }'
      )
      ;;
    bash)
      rest=${3#http://} && host=${rest%%/*} path=/${rest#*/} port=80
      case $host in
        \[*\]:*) port=${host##*:} host=${host%:*} ;;
        \[*\]) ;;
        *:*) port=${host##*:} host=${host%:*} ;;
      esac
      host=${host#\[} host=${host%\]}
      answer=$(printf '%s\n' "$4" |
        $1 ${limit:+"$limit" "$timeout"} bash -c "$by_bash" probe "$host" "$port" "$2" "$path" "$timeout" 2>/dev/null)
      ;;
    *) echo "no such client: $client" >&2; exit 2 ;;
  esac
  # The status is the last line, the body all before it.
  status=$(printf '%s\n' "$answer" | tail -n 1)
  body=$(printf '%s\n' "$answer" | sed '$d')
  case $status in
    [1-5][0-9][0-9]) ;;
    *) status= body= ;;
  esac
}

ttl='X-aws-ec2-metadata-token-ttl-seconds: 60'
item=/latest/meta-data/instance-id
roles=/latest/meta-data/iam/security-credentials/

ask '' GET "$endpoint$item" ''
v1=$status
ask '' PUT "$endpoint/latest/api/token" "$ttl"
asked=$status token=$(printf '%s' "$body" | head -n 1)
header="X-aws-ec2-metadata-token: $token"

v2= role_status= found=false fields=
if [ "$asked" = 200 ]; then
  ask '' GET "$endpoint$item" "$header"
  v2=$status
  ask '' GET "$endpoint$roles" "$header"
  role_status=$status role=$(printf '%s\n' "$body" | head -n 1 | tr -d '\r')
  case $role_status:$role in
    200: | 200:*[!A-Za-z0-9_+=,.@-]*) ;;
    200:*)
      ask '' GET "$endpoint$roles$role" "$header"
      if [ "$status" = 200 ]; then
        fields=$(printf '%s\n' "$body" | tr ',{}' '\n\n\n' |
          sed -n 's/^[[:space:]]*"\([A-Za-z0-9_]*\)"[[:space:]]*:.*/"\1"/p' | tr '\n' ',')
        case $(printf '%s' "$body" | tr -d ' \t\r\n') in
          *'"Code":"Success"'*'"AccessKeyId":"'[A-Z]*) found=true ;;
        esac
      fi
      ;;
  esac
fi

# From inside a container: any process in another network that has a default route.
reaches=null why=null
if [ -z "$pid" ]; then
  if [ $look = no ]; then why='"not asked for"'
  elif [ "$(id -u)" != 0 ]; then why='"needs root"'
  elif [ "$(readlink /proc/1/ns/net)" != "$(readlink /proc/self/ns/net)" ]; then
    why='"not in the host'"'"'s own network"'
  else
    own=$(readlink /proc/self/ns/net)
    for one in $(ls /proc | grep '^[0-9][0-9]*$' | sort -n); do
      net=$(readlink "/proc/$one/ns/net" 2>/dev/null) || continue
      if [ -n "$net" ] && [ "$net" != "$own" ] &&
        awk '$2 == "00000000" { found = 1 } END { exit !found }' "/proc/$one/net/route" 2>/dev/null; then
        pid=$one
        break
      fi
    done
    [ -n "$pid" ] || why='"no container found"'
  fi
fi
if [ -n "$pid" ]; then
  if has nsenter && nsenter -t "$pid" -n true 2>/dev/null; then
    ask "nsenter -t $pid -n" PUT "$endpoint/latest/api/token" "$ttl"
    reaches=false
    [ "$status" = 200 ] && reaches=true
  else
    why='"the container could not be entered"'
  fi
fi

v6=
if [ -n "$ipv6" ]; then
  [ "$asked" = 200 ] || header=
  ask '' GET "$ipv6$item" "$header"
  v6=$status
fi
token= header= body=
ask '' GET http://127.0.0.1:51678/v1/metadata ''
ecs=$status
ask '' GET http://127.0.0.1:10248/healthz ''
kubelet=$status

identity=null sts_ok=true
if [ $sts = yes ]; then
  arn= via=null
  if has aws; then
    via='"aws"'
    arn=$(${limit:+"$limit" 60} aws sts get-caller-identity --query Arn --output text 2>/dev/null)
  elif has python3 && python3 -c 'import botocore' 2>/dev/null; then
    via='"botocore"'
    arn=$(${limit:+"$limit" 60} python3 -c 'from botocore.session import Session
s = Session()
region = s.get_config_variable("region") or "us-east-1"
print(s.create_client("sts", region_name=region).get_caller_identity()["Arn"])' 2>/dev/null)
  fi
  case $arn in
    arn:*) identity="{\"ok\": true, \"via\": $via, \"arn\": \"$arn\"}" ;;
    *)
      identity="{\"ok\": false, \"via\": $via, \"arn\": null}"
      [ "$via" = null ] || sts_ok=false
      ;;
  esac
fi

verdict=broken
case ${v1:-none}:${asked:-none}:${v2:-none} in
  403:403:*) verdict=imds-off ;;
  200:none:* | 401:none:*) verdict=v2-unreachable ;;
  401:200:200) verdict=v2-only ;;
  200:200:200) verdict=v1-allowed ;;
esac
case $verdict in
  v2-only | v1-allowed) [ "$role_status" != 200 ] || [ $found = true ] || verdict=broken ;;
esac

cat <<END
{
  "schema": "imdsctl/host-probe/v1",
  "endpoint": "$endpoint",
  "v1": {"status": ${v1:-null}},
  "token": {"status": ${asked:-null}},
  "v2": {"status": ${v2:-null}},
  "credentials": {"found": $found, "fields": [${fields%,}]},
  "hop_limit_reaches": $reaches,
  "hop_limit_why": $why,
  "ipv6": {"status": ${v6:-null}},
  "ecs_agent": {"status": ${ecs:-null}},
  "kubelet": {"status": ${kubelet:-null}},
  "sts": $identity,
  "verdict": "$verdict"
}
END
[ -n "$v1$asked" ] || exit 3
[ $sts_ok = true ] || exit 1
case $verdict in
  v2-only | imds-off) exit 0 ;;
esac
exit 1
