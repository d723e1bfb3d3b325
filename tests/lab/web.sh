# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154  # lab_dir is lab.sh's
# Web servers for the lab, unmodified, with a configuration of their own, by which they are patient with connections at
# rest; to be sourced after lab.sh.
#
#   web_policy [CONTINUITY]    the client's policy; http without an argument
#   web_file NAME MB           a file of random bytes, an hour old, that all of them serve
#   web_servers                starts those that are installed, and prints their ports
#   web_ports                  the ports printed before

web_policy() {
	cat >"$lab_dir/policy.conf" <<-END
		stability { spread = 0  damp = 0 }
		interface "wlan*" { prefer = 200 }
		interface "wwan*" { prefer = 100 }
		peer "*" { continuity = ${1:-http} }
	END
}

web_file() {
	mkdir -p "$lab_dir/www"
	chmod 755 "$lab_dir"
	head -c "$(($2 * 1000000))" /dev/urandom >"$lab_dir/www/$1"
	touch -d '1 hour ago' "$lab_dir/www/$1"
}

web_nginx() { # PORT
	local d=$lab_dir/nginx
	mkdir -p "$d"
	cat >"$d/conf" <<-END
		daemon off; pid $d/pid; error_log $d/error.log; worker_processes 1; user $(id -un) $(id -gn);
		events { worker_connections 4096; }
		http {
			access_log $d/access.log; keepalive_requests 100000;
			client_body_temp_path $d/b; proxy_temp_path $d/p; fastcgi_temp_path $d/f; uwsgi_temp_path $d/u;
			scgi_temp_path $d/s; default_type application/octet-stream;
			server { listen $1; root $lab_dir/www; ${web_nginx_more:-} }
		}
	END
	lab_spawn server "$d/log" nginx -c "$d/conf"
}

web_apache() { # PORT
	local d=$lab_dir/apache m=/usr/lib/apache2/modules
	mkdir -p "$d"
	cat >"$d/conf" <<-END
		LoadModule mpm_event_module $m/mod_mpm_event.so
		LoadModule authz_core_module $m/mod_authz_core.so
		LoadModule reqtimeout_module $m/mod_reqtimeout.so
		ServerRoot $d
		ServerName lab
		Listen $1
		KeepAliveTimeout 60
		MaxKeepAliveRequests 0
		PidFile $d/pid
		ErrorLog $d/error.log
		DocumentRoot $lab_dir/www
		User #$(id -u)
		Group #$(id -g)
		<Directory $lab_dir/www>
			Require all granted
		</Directory>
		${web_apache_more:-}
	END
	# As root of a namespace or a machine: Apache will not serve as root unless it is built to.
	[ "$(id -u)" != 0 ] || sed -i 's/^User .*/User nobody/; s/^Group .*/Group nogroup/' "$d/conf"
	lab_spawn server "$d/log" /usr/sbin/apache2 -DFOREGROUND -d "$d" -f "$d/conf"
}

web_lighttpd() { # PORT
	local d=$lab_dir/lighttpd
	mkdir -p "$d"
	cat >"$d/conf" <<-END
		server.port = $1
		server.document-root = "$lab_dir/www"
		server.max-keep-alive-idle = 60
		server.max-keep-alive-requests = 60000
		server.errorlog = "$d/error.log"
		mimetype.assign = ( "" => "application/octet-stream" )
		${web_lighttpd_more:-}
	END
	lab_spawn server "$d/log" lighttpd -D -f "$d/conf"
}

web_haproxy() { # PORT BACKEND
	local d=$lab_dir/haproxy
	mkdir -p "$d"
	cat >"$d/conf" <<-END
		defaults
			mode http
			timeout connect 5s
			timeout client 30s
			timeout server 30s
		listen web
			bind :$1
			server s 127.0.0.1:$2
	END
	lab_spawn server "$d/log" haproxy -f "$d/conf"
}

web_servers() {
	local found=()
	if command -v nginx >/dev/null; then
		web_nginx 8080
		found+=(8080)
	fi
	if [ -x /usr/sbin/apache2 ]; then
		web_apache 8082
		found+=(8082)
	fi
	if command -v lighttpd >/dev/null; then
		web_lighttpd 8083
		found+=(8083)
	fi
	if command -v haproxy >/dev/null && [ ${#found[@]} -gt 0 ]; then
		web_haproxy 8084 "${found[0]}"
		found+=(8084)
	fi
	local port
	for port in "${found[@]}"; do
		lab_wait_port server "$port" >&2
	done
	echo "${found[@]}" | tee "$lab_dir/ports"
}

web_ports() {
	cat "$lab_dir/ports"
}
