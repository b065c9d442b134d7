#!/bin/sh
# Records web_traffic.tape anew, from real packets: two network namespaces play pods, one serves
# HTTP, the other fetches from it, pings it and talks UDP. Needs root. About 25 seconds.
#
# Run it after a change of the structs in receivers/flows/flows.h: a tape is bound to their layout.
set -eu
cd "$(dirname "$0")/../../.."

server=fovea-web-$$
client=fovea-client-$$
config=$(mktemp)
children=

cleanup() {
	for child in $children; do kill "$child" 2>/dev/null || :; done
	ip netns del "$server" 2>/dev/null || :
	ip netns del "$client" 2>/dev/null || :
	ip link del fovea-br 2>/dev/null || :
	rm -f "$config"
}
trap cleanup EXIT INT TERM

pod() { # namespace, host link, last byte of the address
	ip netns add "$1"
	ip link add "$2" type veth peer name eth0 netns "$1"
	ip link set "$2" master fovea-br up
	ip -n "$1" link set lo up
	ip -n "$1" link set eth0 up
	ip -n "$1" addr add "10.244.1.$3/24" dev eth0
	ip -n "$1" addr add "fd00:244:1::$3/64" dev eth0 nodad
	ip -n "$1" route add default via 10.244.1.1
}

ip link add fovea-br type bridge
ip link set fovea-br up
ip addr add 10.244.1.1/24 dev fovea-br
pod "$server" veth-web 10
pod "$client" veth-client 20

cat >"$config" <<'YAML'
receivers: { flows: { interfaces: ["veth-*"], ended_timeout: 2s, idle_timeout: 8s } }
exporters: { console: {} }
service:
  telemetry: { endpoint: "" }
  pipelines: { live: { receivers: [flows], exporters: [console] } }
YAML

folder=$(mktemp -d)
head -c 300000 /dev/zero >"$folder/large.bin"
echo '<h1>hello</h1>' >"$folder/index.html"
ip netns exec "$server" \
	python3 -m http.server --bind :: --directory "$folder" 8080 >/dev/null 2>&1 &
children="$children $!"
core/bin/fovea run --config "$config" --record receivers/replay/traces/web_traffic.tape &
agent=$!
children="$children $agent"
sleep 2

round=0
while [ $round -lt 10 ]; do
	ip netns exec "$client" curl -s -o /dev/null http://10.244.1.10:8080/
	ip netns exec "$client" curl -s -o /dev/null http://10.244.1.10:8080/large.bin
	ip netns exec "$client" curl -s -o /dev/null "http://[fd00:244:1::10]:8080/"
	ip netns exec "$client" curl -s -o /dev/null --max-time 1 http://10.244.1.10:81/ || :
	ip netns exec "$client" ping -c 1 -W 1 10.244.1.10 >/dev/null
	ip netns exec "$client" python3 -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(20): s.sendto(b"metric:1|c", ("10.244.1.10", 8125))'
	round=$((round + 1))
	sleep 2
done
sleep 3
kill -INT "$agent"
wait "$agent" || :
rm -r "$folder"
