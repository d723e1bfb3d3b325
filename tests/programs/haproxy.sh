# SPDX-License-Identifier: MIT
# haproxy fetches from a server behind the lost interface, for curl on the same host.
cat >"$tmp/haproxy.cfg" <<END
defaults
	mode http
	timeout connect 10s
	timeout client 60s
	timeout server 60s
listen front
	bind 127.0.0.1:8091
	server s 10.9.0.2:8080
END
haproxy -f "$tmp/haproxy.cfg" >/dev/null 2>&1 &
server=$!
sleep 0.4
env -u LD_PRELOAD curl -sS --max-time 60 http://127.0.0.1:8091/file
status=$?
kill $server
wait $server
exit $status
