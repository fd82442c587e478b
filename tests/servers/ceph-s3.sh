#!/bin/bash
# A real S3 server for tests on loopback: one Ceph monitor, one OSD that keeps objects in memory, one RADOS gateway.
#   ceph-s3.sh start FOLDER S3PORT MONPORT     keys testkey / testsecret; FOLDER is empty or not there
#   ceph-s3.sh stop FOLDER
# Environment: TLS=file with certificate and key, for HTTPS; OWNER=process without which the server stops by itself.
set -euo pipefail
command=$1 folder=$2

spawn() {
    local name=$1; shift
    "$@" >>"$folder/$name.out" 2>&1 &
    echo $! >"$folder/$name.pid"
}

stop() {
    local name
    for name in rgw osd mon; do
        [ -s "$folder/$name.pid" ] || continue
        kill -9 "$(cat "$folder/$name.pid")" 2>/dev/null || true # politely it takes seconds, and there is nothing to keep
        rm -f "$folder/$name.pid"
    done
}

fail() {
    echo "$1" >&2
    tail -n 5 "$folder"/*.out "$folder"/*.err >&2 || true
    stop
    exit 1
}

if [ "$command" = stop ]; then stop; exit 0; fi

port=$3 monport=$4
mkdir -p "$folder"
[ -z "$(ls -A "$folder")" ] || { echo "$folder is not empty: refused" >&2; exit 2; }
mkdir -p "$folder"/{mon.a,osd.0,rgw.a,run}
fsid=$(cat /proc/sys/kernel/random/uuid) osd=$(cat /proc/sys/kernel/random/uuid)
export CEPH_CONF="$folder/ceph.conf"
front="beast endpoint=127.0.0.1:$port" url="http://127.0.0.1:$port"
if [ -n "${TLS:-}" ]; then
    front="beast ssl_endpoint=127.0.0.1:$port ssl_certificate=$TLS ssl_private_key=$TLS" url="https://127.0.0.1:$port"
fi
cat >"$CEPH_CONF" <<EOF
[global]
fsid = $fsid
mon host = [v2:127.0.0.1:$monport/0]
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind msgr1 = false
auth cluster required = none
auth service required = none
auth client required = none
run dir = $folder/run
admin socket = $folder/run/\$name.\$pid.asok
log file = $folder/\$name.log
crash dir = $folder/crash
keyring = $folder/keyring
paxos propose interval = 0.05
paxos min wait = 0.01
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
mon data avail warn = 1
mon data avail crit = 1
mon osd report timeout = 86400
[mon]
mon data = $folder/mon.a
mon cluster log file = $folder/cluster.log
[osd]
osd data = $folder/osd.0
osd objectstore = memstore
memstore device bytes = 4294967296
osd memory target = 939524096
osd class load list = *
osd class default allow list = *
[client.rgw.a]
rgw data = $folder/rgw.a
rgw frontends = $front
ms mon client mode = crc
EOF
: >"$folder/keyring"

monmaptool --create --fsid "$fsid" --addv a "[v2:127.0.0.1:$monport]" "$folder/monmap" >/dev/null
ceph-mon -c "$CEPH_CONF" -i a --mkfs --monmap "$folder/monmap" 2>"$folder/mkfs.err"
spawn mon ceph-mon -c "$CEPH_CONF" -i a -f
timeout 60 ceph -c "$CEPH_CONF" osd new "$osd" >/dev/null || fail "the monitor did not come up"
ceph-osd -c "$CEPH_CONF" -i 0 --mkfs --osd-uuid "$osd" 2>>"$folder/mkfs.err" || fail "the OSD could not be made"
spawn osd ceph-osd -c "$CEPH_CONF" -i 0 -f
for _ in $(seq 300); do
    timeout 20 ceph -c "$CEPH_CONF" osd stat 2>/dev/null | grep -q '1 up' && break
    sleep 0.1
done
spawn rgw radosgw -c "$CEPH_CONF" -n client.rgw.a -f
for _ in $(seq 600); do
    curl -ksf -o /dev/null "$url/" && break
    kill -0 "$(cat "$folder/rgw.pid")" 2>/dev/null || break
    sleep 0.1
done
curl -ksf -o /dev/null "$url/" || fail "the gateway did not come up"
radosgw-admin -c "$CEPH_CONF" -n client.rgw.a user create --uid=test --display-name=test \
    --access-key=testkey --secret-key=testsecret >/dev/null 2>>"$folder/mkfs.err" || fail "the user could not be made"
kill -0 "$(cat "$folder/rgw.pid")" 2>/dev/null || fail "another program answered on port $port"

# A test run that is killed stops nothing: so the server watches for the process that asked for it.
if [ -n "${OWNER:-}" ]; then
    (while kill -0 "$OWNER" 2>/dev/null && [ -s "$folder/rgw.pid" ]; do sleep 1; done; stop) >/dev/null 2>&1 </dev/null &
fi
