# SPDX-License-Identifier: MIT
# nginx fetches from a server behind the lost interface, for curl on the same host.
cat >"$tmp/nginx.conf" <<END
daemon off;
pid $tmp/pid;
error_log $tmp/err;
events { }
http {
	access_log off;
	client_body_temp_path $tmp/body;
	proxy_temp_path $tmp/proxy;
	fastcgi_temp_path $tmp/f;
	uwsgi_temp_path $tmp/u;
	scgi_temp_path $tmp/s;
	server { listen 127.0.0.1:8090; location / { proxy_pass http://10.9.0.2:8080; proxy_buffering off; } }
}
END
chmod 755 "$tmp"
nginx -p "$tmp" -c "$tmp/nginx.conf" >/dev/null 2>&1 &
server=$!
sleep 0.4
env -u LD_PRELOAD curl -sS --max-time 60 http://127.0.0.1:8090/file
status=$?
kill $server
wait $server
exit $status
