#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# mifcontd: router advertisements by radvd and by hand, explicit provisioning domains and their additional information,
# captive portals, and clients that it serves, that it leaves, and that it comes back to.

source "$BATS_TEST_DIRNAME/helper.bash"

setup() {
	need_lab
	for tool in jq openssl python3; do
		command -v $tool >/dev/null || skip "$tool is missing"
	done
	lab_up
	mifcont=$lab_build/mifcont
	export MIFCONT_SERVICE=$lab_dir/service.sock
	log=$lab_dir/service.log
	out=$lab_dir/out
	service=
	: >"$lab_dir/resolv.conf"
	mkdir "$lab_dir/run"
}

teardown() {
	if [ -z "${BATS_TEST_COMPLETED:-}" ]; then
		tail -n "${MIFCONT_TAIL:-40}" "$log" "$lab_dir/fake.log" "$lab_dir/https.log" "$lab_dir/dns.log" "$out" 2>/dev/null || :
	fi
	[ -z "$service" ] || kill -CONT "$service" 2>/dev/null || :
	lab_down
}

# --- the service, and what it is seen to say ---

start_service() { # ARGS...
	local i
	: >"$log.last"
	lab_spawn client "$log.last" "$lab_build/mifcontd" --socket "$MIFCONT_SERVICE" --user root --log debug "$@"
	service=$lab_pid
	for ((i = 0; i < 100; i++)); do
		grep -q 'ready at' "$log.last" && break
		sleep 0.05
	done
	log=$log.last
	[ "$i" -lt 100 ]
}

end_service() { # SIGNAL
	kill "-$1" "$service"
	is_over "$service"
	service=
}

logged() { # PATTERN
	local i
	for ((i = 0; i < ${2:-200}; i++)); do
		! grep -qE "$1" "$log" || return 0
		sleep 0.05
	done
	echo "never logged: $1"
	return 1
}

# Without this host's own files about name servers.
alone() {
	in_client unshare -m sh -c 'mount --bind "$1" /run && mount --bind "$2" /etc/resolv.conf && shift 2 && exec "$@"' - \
		"$lab_dir/run" "$lab_dir/resolv.conf" "$@"
}

# Everything known of the domain, or of the implicit one of an interface, as "element information value".
known() { # PVD|INTERFACE
	local pvd=$1
	[ "$pvd" != wlan0 ] && [ "$pvd" != wwan0 ] || pvd=$(implicit "$pvd")
	alone "$mifcont" mif --json --once "get $pvd" 2>/dev/null |
		jq -r 'select(.event == "Configuration Data") |
			"\(.element) \(.information) \(.text // .address // .number)\(if .prefix then "/\(.prefix)" else "" end)"'
}

knows() { # PVD LINE
	local i
	for ((i = 0; i < 100; i++)); do
		! known "$1" | grep -qxF "$2" || return 0
		sleep 0.1
	done
	echo "$1: never known: $2"
	known "$1"
	return 1
}

forgets() { # PVD LINE
	local i
	for ((i = 0; i < 100; i++)); do
		known "$1" | grep -qxF "$2" || return 0
		sleep 0.1
	done
	echo "$1: known for ever: $2"
	return 1
}

# Nothing of that on standard input. (A plain ! never fails a test.)
absent() { # PATTERN
	if grep -E "$1"; then return 1; fi
}

# Made up anew by each process, of what is seen of the network then.
implicit() { # INTERFACE
	alone "$mifcont" mif --json --once "announce pvd $1" |
		jq -r 'select(.event == "Provisioning Domain Announcement") | .pvd' | head -n 1
}

ra() { in_router python3 "$lab_root/tests/lab/ra.py" r-wlan0 "$@"; }

# A stream of events of a client.
follow() {
	lab_spawn client "$out" "$mifcont" events --json
	follower=$lab_pid
	await '.reason == "present" and .address == "fd00:2::2"'
}

await() {
	local i
	for ((i = 0; i < 200; i++)); do
		[ -z "$(jq -c "select($1)" "$out" 2>/dev/null)" ] || return 0
		sleep 0.05
	done
	echo "never came: $1"
	return 1
}

# --- advertisements ---

@test "radvd: what it says is the implicit domain's, and ends with it" {
	command -v radvd >/dev/null || skip "radvd is missing"
	cat >"$lab_dir/radvd.conf" <<-END
		interface r-wlan0 {
			AdvSendAdvert on;
			MinRtrAdvInterval 3;
			MaxRtrAdvInterval 4;
			prefix 2001:db8:a::/64 { };
			RDNSS 2001:db8:a::53 { AdvRDNSSLifetime 300; };
			DNSSL a.example { };
			route 2001:db8:ff::/48 { };
		};
	END
	lab_spawn router "$lab_dir/radvd.log" radvd -n -m stderr -C "$lab_dir/radvd.conf" -p "$lab_dir/radvd.pid"
	local radvd=$lab_pid
	start_service
	knows wlan0 "RA dns-server 2001:db8:a::53"
	knows wlan0 "RA search-domain a.example"
	knows wlan0 "RA prefix 2001:db8:a::/64"
	knows wlan0 "RA route 2001:db8:ff::/48"
	known wlan0 | grep -q '^RA gateway fe80::'
	# Of the other network nothing of it is known.
	known wwan0 | absent '2001:db8|a\.example'
	# Its last advertisement takes back what it was.
	kill "$radvd"
	forgets wlan0 "RA dns-server 2001:db8:a::53"
	forgets wlan0 "$(known wlan0 | grep '^RA gateway')"
}

@test "lifetimes end, routers change their minds, interfaces go away; strangers are not heard" {
	start_service
	# Not from this link, not from a router's address.
	ra hops 64 dns 2001:db8:a::66 600
	ra from fd00:1::1 dns 2001:db8:a::67 600
	ra dns 2001:db8:a::1 2 dns 2001:db8:a::2 600 portal https://x.example/ pref64 64:ff9b:1:: 600 mtu 1400
	knows wlan0 "RA dns-server 2001:db8:a::2"
	known wlan0 | grep -qx "RA captive-portal https://x.example/"
	known wlan0 | grep -qx "RA nat64-prefix 64:ff9b:1::/96"
	known wlan0 | grep -qx "RA mtu 1400"
	known wlan0 | absent '2001:db8:a::6[67]'
	forgets wlan0 "RA dns-server 2001:db8:a::1"
	ra dns 2001:db8:a::2 0
	forgets wlan0 "RA dns-server 2001:db8:a::2"
	known wlan0 | grep -qx "RA nat64-prefix 64:ff9b:1::/96"
	lab_event wlan0 carrier-off
	lab_event wlan0 carrier-on
	forgets wlan0 "RA nat64-prefix 64:ff9b:1::/96"
	# It asks when an interface has come up.
	logged 'Interface is going up wlan0'
}

@test "a domain with a name: within its option and around it, its addresses, and its end" {
	start_service
	ra prefix 2001:db8:b1::/64 600 300 dns 2001:db8:b1::53 600 pvd Corp.Example 1 0 - search corp.example 600
	knows corp.example "RA dns-server 2001:db8:b1::53"
	known corp.example | grep -qx "RA search-domain corp.example"
	known wlan0 | absent '2001:db8:b1|corp'
	# The inner header is the router's as far as the domain goes.
	ra lifetime 0 pvd quiet.example 1 0 r 600 prefix 2001:db8:b2::/64 600 300
	ra lifetime 0 prefix 2001:db8:b2::/64 600 300 pvd quiet.example 1 0 lr 600 dns 2001:db8:b2::53 600
	knows quiet.example "RA dhcpv4-bound 1"
	known quiet.example | grep -q '^RA gateway fe80::'
	# One address is of one domain only.
	alone "$mifcont" mif --json --once "announce address" >"$out"
	[ "$(jq -r 'select(.event == "Address Announcement" and (.address | startswith("2001:db8:b1:"))) | .pvd' "$out" | uniq)" = corp.example ]
	[ "$(jq -r 'select(.address == "10.1.0.2") | .pvd' "$out")" = quiet.example ]
	ra lifetime 0 prefix 2001:db8:b1::/64 0 0 dns 2001:db8:b1::53 0 pvd corp.example 1 0 - search corp.example 0
	forgets corp.example "RA prefix 2001:db8:b1::/64"
	known corp.example | absent .
}

# --- HTTPS ---

# An authority of the test's own, and a name with its certificate.
authority() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=lab \
		-keyout "$lab_dir/ca.key" -out "$lab_dir/ca.pem" 2>/dev/null
	mkdir "$lab_dir/https"
	certificate default.example default
}

certificate() { # NAME [FILE]
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$lab_dir/key" -out "$lab_dir/req" 2>/dev/null
	printf 'subjectAltName=DNS:%s\n' "$1" >"$lab_dir/ext"
	openssl x509 -req -in "$lab_dir/req" -CA "$lab_dir/ca.pem" -CAkey "$lab_dir/ca.key" -CAcreateserial -days 2 \
		-extfile "$lab_dir/ext" -out "$lab_dir/crt" 2>/dev/null
	cat "$lab_dir/key" "$lab_dir/crt" >"$lab_dir/https/${2:-$1}.pem"
}

answer() { # NAME TYPE BODY
	printf '200 OK\nContent-Type: %s\n\n%s' "$2" "$3" >"$lab_dir/https/$1.new"
	mv "$lab_dir/https/$1.new" "$lab_dir/https/$1.answer"
}

redirect() { printf '302 Found\nLocation: %s\n\n' "$2" >"$lab_dir/https/$1.answer"; }

information() { # IDENTIFIER PREFIX MORE
	echo "{\"identifier\":\"$1\",\"expires\":\"$(date -u -d '+1 hour' +%Y-%m-%dT%H:%M:%SZ)\",\"prefixes\":[\"$2\"]$3}"
}

# The router is a name server and a server of HTTPS for all names given, in the networks b1, b2 ...
serve() { # NAME...
	local n entries=()
	for n in 1 2 3 4 5 6; do
		ip -n "$lab-r" addr add "2001:db8:b$n::1/64" dev r-wlan0 nodad
	done
	for n in "$@"; do
		entries+=("$n=2001:db8:b1::1")
	done
	lab_spawn router "$lab_dir/dns.log" python3 "$lab_root/tests/lab/dns.py" 2001:db8:b1::1 "${entries[@]}"
	lab_spawn router "$lab_dir/https.log" python3 "$lab_root/tests/lab/https.py" :: "$lab_dir/https"
	lab_wait_port router 443
}

# Domain number N of that name.
advertise() { # NAME N SEQUENCE [FLAGS]
	ra prefix "2001:db8:b$2::/64" 600 300 dns 2001:db8:b1::1 600 pvd "$1" "$3" 0 "${4:-h}"
}

@test "additional information: fetched within the domain, believed only if all is right" {
	local asked
	authority
	for n in good moved other wide typed; do certificate $n.example; done
	certificate good.example false.example
	serve good.example moved.example other.example wide.example false.example typed.example
	answer good.example application/pvd+json "$(information good.example 2001:db8:b1::/48 ',"dnsZones":["zone.example"],"noInternet":true')"
	redirect moved.example http://good.example/
	answer other.example application/pvd+json "$(information good.example 2001:db8:b1::/48)"
	answer wide.example application/pvd+json "$(information wide.example 2001:db8:c::/48)"
	answer false.example application/pvd+json "$(information false.example 2001:db8:b5::/48)"
	start_service --ca-file "$lab_dir/ca.pem"
	advertise good.example 1 1
	advertise moved.example 2 1
	advertise other.example 3 1
	advertise wide.example 4 1
	advertise false.example 5 1
	logged 'good.example: additional information, for'
	knows good.example "additional dns-zone zone.example"
	knows good.example "additional no-internet 1"
	logged 'moved.example: no additional information: a redirection that is not followed'
	logged 'other.example: no additional information: the identifier'
	logged 'wide.example: no additional information: a prefix'
	logged 'false.example: no additional information: SSL'
	# All of it from an address of that domain.
	grep -q '^2001:db8:b1:.* good.example /.well-known/pvd application/pvd+json$' "$lab_dir/https.log"
	grep -q '^2001:db8:b4:.* wide.example ' "$lab_dir/https.log"
	grep -q '^2001:db8:b4:.* wide.example 28 ' "$lab_dir/dns.log"
	grep -v '^2001:db8:b' "$lab_dir/dns.log" | absent .
	asked=$(grep -c . "$lab_dir/https.log")
	# The same again: nobody is asked. And those that failed are not tried with another number either.
	advertise good.example 1 1
	advertise other.example 3 2
	advertise wide.example 4 2
	sleep 1.5
	[ "$(grep -c . "$lab_dir/https.log")" = "$asked" ]
	# Another number ends what was said, and ten seconds after the last time it is asked again.
	answer good.example application/pvd+json "$(information good.example 2001:db8:b1::/48 ',"dnsZones":["new.example"]')"
	advertise good.example 1 2
	forgets good.example "additional no-internet 1"
	logged 'good.example: other additional information'
	knows good.example "additional dns-zone new.example" ||
		knows good.example "additional dns-zone new.example"
	# The type counts.
	answer typed.example text/plain "$(information typed.example 2001:db8:b6::/48)"
	advertise typed.example 6 1
	logged 'typed.example: no additional information: another type' 300
	# A prefix that the information does not have.
	ra prefix 2001:db8:d::/64 600 300 pvd good.example 2 0 h
	forgets good.example "additional dns-zone new.example"
	# Without the flag nobody may ask.
	advertise silent.example 2 1 -
	sleep 1.2
	absent silent <"$lab_dir/dns.log"
	# What was learned here ends with the network.
	lab_event wlan0 carrier-off
	logged 'Interface is going away wlan0'
	known good.example | absent .
}

# An echo client over wwan0, whose other path is wlan0, with what was sent back in "lines"; it is told what to say by 7.
plain_flow() {
	printf '%s\n' 'connectivity { portal-api = true }' 'interface "wwan*" { prefer = 200 }' \
		'interface "wlan*" { prefer = 100 }' 'peer "*" { continuity = redial  replay = line }' >"$lab_dir/policy.conf"
	lab_spawn server "$lab_dir/echo.log" python3 "$lab_root/tests/lab/echo_server.py" 9001
	lab_wait_port server 9001
	in_client ip route del default dev wlan0
	mkfifo "$lab_dir/say"
	covered timeout 60 nc 10.9.0.2 9001 <"$lab_dir/say" >"$lab_dir/lines" &
	exec 7>"$lab_dir/say"
	echo hello >&7
	local i
	for ((i = 0; i < 50; i++)); do ! grep -q hello "$lab_dir/lines" || break; sleep 0.1; done
	grep -q hello "$lab_dir/lines"
	in_client ip route add default via 10.1.0.1 dev wlan0 metric 100
}

@test "a captive portal: asked where it is announced, closed, then open" {
	authority
	certificate portal.example
	serve portal.example
	# As many a home's router does: the name server has but its link-local address.
	local router
	router=$(in_router ip -j -6 addr show dev r-wlan0 scope link | jq -r '.[].addr_info[] | select(.local) | .local')
	lab_spawn router "$lab_dir/dns-link" python3 "$lab_root/tests/lab/dns.py" "$router%r-wlan0" portal.example=2001:db8:b1::1
	answer portal.example application/captive+json \
		'{"captive":true,"user-portal-url":"https://portal.example/page","venue-info-url":"https://portal.example/venue"}'
	start_service --ca-file "$lab_dir/ca.pem"
	ra prefix 2001:db8:b1::/64 600 300 dns "$router" 600 portal https://portal.example/api
	knows wlan0 "portal captive 1"
	known wlan0 | grep -qx "portal portal-page https://portal.example/page"
	known wlan0 | grep -qx "portal venue-page https://portal.example/venue"
	plain_flow
	lab_event wwan0 down
	echo while closed >&7
	sleep 1
	grep -qE '^(2001:db8:b1:|fd00:1::2).* portal.example /api application/captive\+json$' "$lab_dir/https.log"
	answer portal.example application/captive+json '{"captive":false,"seconds-remaining":3600}'
	[ "$(wc -l <"$lab_dir/lines")" = 1 ]
	grep -q 'wlan0 is not connected (portal)' "$lab_dir/client.log"
	knows wlan0 "portal captive 0" || knows wlan0 "portal captive 0"
	for ((i = 0; i < 50; i++)); do [ "$(wc -l <"$lab_dir/lines")" -lt 2 ] || break; sleep 0.1; done
	[ "$(tail -n 1 "$lab_dir/lines")" = "while closed" ]
	grep -q 'flow 1: on wlan0' "$lab_dir/client.log"
	exec 7>&-
	lab_event wwan0 up
	knows wlan0 "portal portal-session 1"
	# A network that has none.
	ra prefix 2001:db8:b1::/64 600 300 dns 2001:db8:b1::1 600 portal urn:ietf:params:capport:unrestricted
	forgets wlan0 "portal portal-session 1"
	knows wlan0 "portal captive 0"
}

# --- clients ---

# What the stream adds up to, and what is configured.
remaining() {
	jq -rs 'reduce .[] as $e ({};
		if $e.event == "Address Announcement" then .["\($e.ifindex) \($e.address)/\($e.prefix)"] += 1
		elif $e.event == "No Address Announcement" then .["\($e.ifindex) \($e.address)/\($e.prefix)"] -= 1
		else . end) | to_entries[] | select(.value != 0) | "\(.value) \(.key)"' "$out" | sort
}

configured() {
	in_client ip -j addr | jq -r '.[] | select(.ifname != "lo") | .ifindex as $i |
		.addr_info[] | "1 \($i) \(.local)/\(.prefixlen)"' | sort
}

storm() { # FROM TO
	local i
	for ((i = $1; i < $2; i++)); do
		echo "addr add 10.77.$((i / 250)).$((i % 250 + 1))/32 dev wwan0"
		[ $((i % 3)) -eq 0 ] || echo "addr del 10.77.$((i / 250)).$((i % 250 + 1))/32 dev wwan0"
	done >"$lab_dir/storm"
	in_client ip -batch "$lab_dir/storm"
}

netlinks() { # PID: its sockets of rtnetlink
	local fd
	for fd in /proc/"$1"/fd/*; do
		readlink "$fd"
	done | sed -n 's/^socket:\[\(.*\)\]$/\1/p' | awk 'NR == FNR { ours[$1]; next } $NF in ours { n++ } END { print n + 0 }' - "/proc/$1/net/netlink"
}

@test "a client is served, left and served again: nothing is lost, nothing twice" {
	start_service
	follow
	[ "$(netlinks "$follower")" = 0 ]
	in_client ip addr add 10.2.0.7/24 dev wwan0
	await '.event == "Address Announcement" and .address == "10.2.0.7"'
	storm 0 300
	end_service KILL
	storm 300 600
	in_client ip addr add 10.2.0.8/24 dev wwan0
	await '.event == "Address Announcement" and .address == "10.2.0.8"'
	[ "$(netlinks "$follower")" != 0 ]
	diff -u <(configured) <(remaining)
	start_service
	storm 600 900
	in_client ip addr del 10.2.0.7/24 dev wwan0
	await '.event == "No Address Announcement" and .address == "10.2.0.7"'
	for ((i = 0; i < 100; i++)); do
		[ "$(netlinks "$follower")" != 0 ] || break
		sleep 0.1
	done
	[ "$(netlinks "$follower")" = 0 ]
	storm 900 1200
	in_client ip addr add 10.2.0.9/24 dev wwan0
	await '.event == "Address Announcement" and .address == "10.2.0.9"'
	diff -u <(configured) <(remaining)
	# One that was stopped for a while has fallen behind, and is told what there is.
	kill -STOP "$follower"
	storm 1200 2600
	in_client ip addr del 10.2.0.9/24 dev wwan0
	kill -CONT "$follower"
	await '.event == "No Address Announcement" and .address == "10.2.0.9"'
	diff -u <(configured) <(remaining)
}

@test "clients that do not read cost no memory, and no other client waits for them" {
	local before idle
	start_service
	for i in $(seq 0 2999); do
		echo "addr add 10.8.$((i / 250)).$((i % 250 + 1))/32 dev wwan0"
	done >"$lab_dir/many"
	in_client ip -batch "$lab_dir/many"
	in_client timeout 10 "$mifcont" events --once --json >"$out"
	grep -q '"10.8.11.250"' "$out"
	resident() { awk '/VmRSS/ { print $2 }' "/proc/$service/status"; }
	before=$(resident)
	# Each is to be told of another state of the whole table.
	mkfifo "$lab_dir/hold"
	in_client python3 -c 'import socket, subprocess, sys
idle = []
for n in range(200):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    s.connect(sys.argv[1])
    idle.append(s)
    subprocess.run(["ip", "addr", ("add", "del")[n % 2], "10.8.99.1/32", "dev", "wwan0"], check=True)
print("idle", flush=True)
sys.stdin.readline()' "$MIFCONT_SERVICE" <"$lab_dir/hold" >"$lab_dir/idle" 3>&- &
	idle=$!
	exec 8>"$lab_dir/hold"
	for ((i = 0; i < 200; i++)); do
		! grep -q idle "$lab_dir/idle" || break
		sleep 0.1
	done
	grep -q idle "$lab_dir/idle"
	in_client timeout 10 "$mifcont" events --once --json >"$out"
	grep -q '"10.8.11.250"' "$out"
	echo "$before kB, then $(resident) kB"
	[ "$(resident)" -lt $((before + 3000)) ]
	exec 8>&-
	wait "$idle"
}

@test "strangers are not listened to: another user's service, another network's" {
	command -v setpriv >/dev/null || skip "setpriv is missing"
	setpriv --reuid 65534 --clear-groups true 2>/dev/null || skip "only one user here"
	# One that is right in all but whose it is.
	chmod 755 "$lab_dir"
	mkdir -m 777 "$lab_dir/public"
	cp "$lab_build/mifcontd" "$lab_build/mifcont" "$lab_dir/public"
	lab_spawn client "$lab_dir/other.log" setpriv --reuid 65534 --clear-groups "$lab_dir/public/mifcontd" \
		--socket "$lab_dir/public/sock" --log debug
	log=$lab_dir/other.log
	logged 'ready at'
	MIFCONT_SERVICE=$lab_dir/public/sock in_client "$mifcont" events --once --json >"$out"
	logged 'client of user 0: (gone|cannot be told)'
	grep -q '"10.1.0.2"' "$out"
	MIFCONT_SERVICE=$lab_dir/public/sock follow
	[ "$(netlinks "$follower")" != 0 ]
	# For its own user it is the one to listen to.
	lab_spawn client "$out" env "MIFCONT_SERVICE=$lab_dir/public/sock" setpriv --reuid 65534 --clear-groups \
		"$lab_dir/public/mifcont" events --json
	follower=$lab_pid
	await '.reason == "present" and .address == "fd00:2::2"'
	[ "$(netlinks "$follower")" = 0 ]
	log=$lab_dir/service.log
	start_service
	in_router "$mifcont" events --once --json >"$out"
	grep -q '"r-wlan0"' "$out"
	absent '"wlan0"' <"$out"
}

@test "a service that hangs is left; it ends without a trace; without its privilege it goes on" {
	start_service
	follow
	kill -STOP "$service"
	# A newcomer does not wait for it.
	in_client timeout 3 "$mifcont" events --once --json | grep -q '"10.1.0.2"'
	kill -CONT "$service"
	end_service TERM
	[ ! -e "$MIFCONT_SERVICE" ]
	in_client setpriv --bounding-set=-all --inh-caps=-all "$lab_build/mifcontd" --help >/dev/null
	lab_spawn client "$lab_dir/poor.log" setpriv --inh-caps=-net_raw --bounding-set=-net_raw "$lab_build/mifcontd" \
		--socket "$MIFCONT_SERVICE" --user root
	log=$lab_dir/poor.log
	logged 'no router advertisements'
	logged 'ready at'
	in_client "$mifcont" events --once --json | grep -q '"10.1.0.2"'
}

@test "a download under the library: its agent is served, is left, and moves the connection all the same" {
	local fetch
	lab_down
	start_lab 5 100
	export MIFCONT_SERVICE=$lab_dir/service.sock
	log=$lab_dir/service.log
	start_service
	serve_file 30
	covered curl -sS --limit-rate 4M -o "$lab_dir/got" "http://10.9.0.2:8080/file" &
	fetch=$!
	for ((i = 0; i < 100; i++)); do
		kill -USR1 "$service"
		! grep -q ' 1 clients' "$log" || break
		sleep 0.1
	done
	grep -q ' 1 clients' "$log"
	lab_event wlan0 carrier-off
	for ((i = 0; i < 100; i++)); do [ "$(handovers)" = 0 ] || break; sleep 0.1; done
	[ "$(handovers)" != 0 ]
	end_service KILL
	lab_event wlan0 carrier-on
	sleep 0.3
	lab_event wwan0 carrier-off
	wait "$fetch"
	same "$lab_dir/got" "$lab_dir/www/file"
	[ "$(handovers)" -ge 2 ]
	# It says nothing of its own.
	absent 'cannot|error' <"$lab_dir/client.log"
}

# An echo client under the library, its lines written to descriptor NUMBER; `said` when it is connected.
talker() { # NUMBER
	mkfifo "$lab_dir/lines$1"
	covered timeout 100 python3 -c 'import socket, sys
s = socket.create_connection(("10.9.0.2", 9001))
s.settimeout(40)
print("connected", flush=True)
for line in sys.stdin:
    s.sendall(line.encode())
    print("same" if s.recv(100).decode() == line else "another", flush=True)' <"$lab_dir/lines$1" >"$lab_dir/said$1" 2>&1 &
	eval "exec $1>\"$lab_dir/lines$1\""
	said "$1" connected
}

said() { # NUMBER LINES...
	local i
	for ((i = 0; i < 300; i++)); do
		[ "$(paste -sd' ' "$lab_dir/said$1")" != "${*:2}" ] || return 0
		sleep 0.1
	done
	cat "$lab_dir/said$1"
	return 1
}

@test "what one process has found out about a network, the next one of its user is told" {
	lab_down
	start_lab
	export MIFCONT_SERVICE=$lab_dir/service.sock
	log=$lab_dir/service.log
	cat >"$lab_dir/policy.conf" <<-END
		connectivity { url = "http://10.9.0.2:8999/check" }
		interface "wlan*" { prefer = 200 }
		interface "wwan*" { prefer = 100 }
		peer "*" { continuity = redial  replay = line }
	END
	lab_spawn server "$lab_dir/canary.log" python3 "$lab_root/tests/lab/answers.py" 8999 204
	lab_spawn server "$lab_dir/echo.log" python3 "$lab_root/tests/lab/echo_server.py" 9001
	wait_port 8999
	wait_port 9001
	start_service
	talker 7
	lab_event wlan0 down
	echo hello >&7
	said 7 connected same
	[ "$(grep -c 10.2.0.2 "$lab_dir/canary.log")" = 1 ]
	lab_event wlan0 up
	talker 8
	lab_event wlan0 down
	echo hello >&8
	said 8 connected same
	[ "$(grep -c 10.2.0.2 "$lab_dir/canary.log")" = 1 ]
	grep -q 'interface wwan0: connectivity full (another process has asked)' "$lab_dir/client.log"
	exec 7>&- 8>&-
}

# So many processes that look at the network.
crowd() { # NUMBER
	rm -f "$lab_dir/crowd"
	# shellcheck disable=SC2016  # for the other shell
	lab_spawn client "$lab_dir/crowd.log" bash -c 'for ((i = 0; i < $1; i++)); do
		"$2" events >/dev/null & echo $!
	done >"$3.new"; mv "$3.new" "$3"; wait' - "$1" "$mifcont" "$lab_dir/crowd"
	for ((i = 0; i < 200; i++)); do [ ! -f "$lab_dir/crowd" ] || break; sleep 0.1; done
	mapfile -t crowd < <(grep -x '[0-9]*' "$lab_dir/crowd")
	[ "${#crowd[@]}" = "$1" ]
}

@test "two hundred processes: one listener with the service, two hundred without" {
	local before with without i
	start_service
	before=$(in_client grep -c . /proc/net/netlink)
	crowd 200
	kill -USR1 "$service"
	for ((i = 0; i < 100; i++)); do
		grep -q '200 clients' "$log" && break
		kill -USR1 "$service"
		sleep 0.1
	done
	with=$(($(in_client grep -c . /proc/net/netlink) - before))
	storm 0 50
	kill "${crowd[@]}"
	end_service TERM
	crowd 200
	for ((i = 0; i < 100; i++)); do
		without=$(($(in_client grep -c . /proc/net/netlink) - before))
		[ "$without" -lt 400 ] || break
		sleep 0.1
	done
	kill "${crowd[@]}"
	echo "sockets of rtnetlink: $with with, $without without"
	[ "$with" -le 5 ]
	[ "$without" -ge 200 ]
}
