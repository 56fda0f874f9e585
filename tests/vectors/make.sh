#!/usr/bin/env bash
# usage: tests/vectors/make.sh >tests/vectors/openssl.txt
# Tokens computed with the openssl command line alone, from a throwaway secret and the throwaway key beside this file.
set -euo pipefail
cd "$(dirname "$0")"

secret=0123456789abcdef0123456789abcdef01234567
url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
hs256() { printf %s "$1" | openssl dgst -sha256 -hmac "$secret" -binary | url; }
rs256() { printf %s "$1" | openssl dgst -sha256 -sign throwaway_rsa2048.pem -binary | url; }

# The session id of API key 47665971, and that of an application.
session=1_$(printf %s '1~47665971~~1700000000000~abcdefghijklmnopqrstuvwx~~~' | url)
application=29f760f8-7ce1-46c9-ade3-f2dedee4ed5f

t1() { # NAME DATA LAYOUT, percent-encoded by hand
    local data="session_id=$session&create_time=1700000000&nonce=1000000000000042&role=publisher&expire_time=1700003600"
    [ -z "$2" ] || data+="&connection_data=$2"
    data+="&initial_layout_class_list=$3&scope=session.connect"
    local sig
    sig=$(printf %s "$data" | openssl dgst -sha1 -hmac "$secret" -r | cut -d' ' -f1)
    printf '%s\tT1==%s\n' "$1" "$(printf %s "partner_id=47665971&sig=$sig:$data" | openssl base64 -A)"
}
t1 t1_plain '' ''
t1 t1_details 'name%3DAnn%20%26%20Bob%2B%C3%A9' 'focus%20small'

claims="\"iss\":\"47665971\",\"ist\":\"project\",\"iat\":1700000000,\"exp\":1700003600,\"session_id\":\"$session\""
claims+=',"create_time":1700000000,"nonce":1000000000000042,"role":"moderator","expire_time":1700003600'
claims+=',"connection_data":"{\"a\":\"é\n\"}","initial_layout_class_list":"focus small","scope":"session.connect"'
input=$(printf %s '{"alg":"HS256","typ":"JWT"}' | url).$(printf %s "{$claims}" | url)
printf 'hs256\t%s.%s\n' "$input" "$(hs256 "$input")"

claims="\"scope\":\"session.connect\",\"session_id\":\"$session\",\"role\":\"subscriber\",\"initial_layout_class_list\":\"\""
claims+=',"exp":1700003600,"sub":"video","acl":{"paths":{"/session/**":{}}},"jti":"00000000-0000-4000-8000-00000000002a"'
claims+=",\"iat\":1700000000,\"application_id\":\"$application\""
input=$(printf %s '{"alg":"RS256","typ":"JWT"}' | url).$(printf %s "{$claims}" | url)
printf 'rs256\t%s.%s\n' "$input" "$(rs256 "$input")"
