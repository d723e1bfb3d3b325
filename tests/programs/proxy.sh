#!/bin/sh
# SPDX-License-Identifier: MIT
# A proxy fetches from a server behind the lost interface, for curl on the same host: proxy.sh tinyproxy|squid|stunnel
: "${tmp:?a folder of its own}"
chmod 777 "$tmp"
case $1 in
tinyproxy)
	printf 'Port 8090\nListen 127.0.0.1\nTimeout 60\nPidFile "%s/pid"\nLogLevel Critical\n' "$tmp" >"$tmp/conf"
	tinyproxy -d -c "$tmp/conf" >/dev/null 2>&1 &
	;;
squid)
	printf 'http_port 127.0.0.1:8090\nhttp_access allow all\ncache deny all\npid_filename none\naccess_log none\ncache_log /dev/null\ncoredump_dir %s\npinger_enable off\nshutdown_lifetime 0 seconds\ncache_effective_user nobody\n' \
		"$tmp" >"$tmp/conf"
	squid -N -n "lab$$" -f "$tmp/conf" >/dev/null 2>&1 &
	;;
stunnel)
	printf 'foreground = yes\npid =\nclient = yes\n[x]\naccept = 127.0.0.1:8090\nconnect = 10.9.0.2:8443\n' >"$tmp/conf"
	stunnel "$tmp/conf" >/dev/null 2>&1 &
	;;
esac
server=$!
i=0
while ! env -u LD_PRELOAD bash -c 'exec 3<>/dev/tcp/127.0.0.1/8090' 2>/dev/null && [ $i -lt 100 ]; do
	sleep 0.1
	i=$((i + 1))
done
if [ "$1" = stunnel ]; then
	env -u LD_PRELOAD curl -sS --max-time 60 http://127.0.0.1:8090/file
else
	env -u LD_PRELOAD curl -sS --max-time 60 -x http://127.0.0.1:8090 http://10.9.0.2:8080/file
fi
status=$?
kill $server
wait $server
exit $status
