#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# continuity = http: programs and servers as they are, and a server that lies.

source "$BATS_TEST_DIRNAME/helper.bash"
source "$BATS_TEST_DIRNAME/../lab/web.sh"

setup() {
	need_lab
}

teardown() {
	stop_lab
}

# Loses and returns wlan0 until none of the processes is there any more.
flap_while() { # PID...
	local i pid alive
	for ((i = 0; i < 60; i++)); do
		alive=
		for pid; do
			! kill -0 "$pid" 2>/dev/null || alive=yes
		done
		[ -n "$alive" ] || return 0
		pause 150 500
		lab_event wlan0 down
		pause 150 500
		lab_event wlan0 up
	done
	echo "still there after $i losses"
	return 1
}

@test "downloads of curl and wget go on, from nginx, Apache, lighttpd and through haproxy" {
	local pids=() pid port n=0
	lab_up 5 100
	web_policy
	web_file file 6
	for port in $(web_servers); do
		covered curl -sS -o "$lab_dir/curl.$port" "http://10.9.0.2:$port/file" 2>"$lab_dir/curl.$port.err" &
		pids+=($!)
		covered wget -q -t 1 -O "$lab_dir/wget.$port" "http://10.9.0.2:$port/file" &
		pids+=($!)
	done
	flap_while "${pids[@]}"
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
	for port in $(web_ports); do
		same "$lab_dir/curl.$port" "$lab_dir/www/file"
		same "$lab_dir/wget.$port" "$lab_dir/www/file"
		n=$((n + 1))
	done
	echo "$n servers, $(handovers) handovers"
	[ "$n" -ge 2 ]
	# How often depends on how fast they are, and on the times between the losses; each at least once.
	[ "$(grep ': on w' "$lab_dir/client.log" | awk '{ print $3 }' | sort -u | wc -l)" = $((2 * n)) ]
	grep -q 'asking over .* for the rest' "$lab_dir/client.log"
}

@test "downloads in chunks go on: from nginx, Apache, lighttpd, a server of the lab's, and that through proxies" {
	local pids=() pid what url i
	command -v nginx >/dev/null || skip "no nginx"
	lab_up 5 200
	web_policy
	web_file file 4
	mkdir -p "$lab_dir/cgi"
	printf '#!/bin/sh\nprintf %s\ncat %s/www/file\n' "'ETag: \"a-1\"\\nContent-Type: x/y\\n\\n'" "$lab_dir" >"$lab_dir/cgi/file"
	chmod -R a+rX "$lab_dir"
	chmod 755 "$lab_dir/cgi/file"
	lab_spawn server "$lab_dir/chunks.log" python3 "$BATS_TEST_DIRNAME/../lab/chunk_server.py" 8087 "$lab_dir/www"
	# With server-side includes an answer has no length, and is the whole whatever is asked for.
	web_nginx_more="location /plain/ { alias $lab_dir/www/; ssi on; ssi_types *; }
		location /ssi/ { proxy_pass http://127.0.0.1:8080/plain/; proxy_http_version 1.1; add_header ETag '\"a-1\"'; }
		location /proxied/ { proxy_pass http://127.0.0.1:8087/; proxy_http_version 1.1; }"
	web_nginx 8080
	web_apache_more="LoadModule filter_module /usr/lib/apache2/modules/mod_filter.so
		LoadModule deflate_module /usr/lib/apache2/modules/mod_deflate.so
		SetOutputFilter DEFLATE"
	web_apache 8082
	web_lighttpd_more="server.modules = ( \"mod_alias\", \"mod_cgi\" )
		server.stream-response-body = 2
		alias.url = ( \"/cgi/\" => \"$lab_dir/cgi/\" )
		\$HTTP[\"url\"] =~ \"^/cgi/\" { cgi.assign = ( \"\" => \"\" ) }"
	web_lighttpd 8083
	web_haproxy 8084 8087
	for url in 8080 8082 8083 8084 8087; do wait_port $url; done
	for url in 8080/ssi/file 8080/proxied/file 8083/cgi/file 8084/file 8087/file; do
		what=${url//\//.}
		covered curl -sS --limit-rate 800K -D "$lab_dir/head.$what" -o "$lab_dir/curl.$what" "http://10.9.0.2:$url" 2>"$lab_dir/curl.$what.err" &
		pids+=($!)
		covered wget -q -t 1 --limit-rate=800K -O "$lab_dir/wget.$what" "http://10.9.0.2:$url" &
		pids+=($!)
	done
	# Compressed on the way, each time to the same bytes.
	covered curl -sS --compressed --limit-rate 800K -D "$lab_dir/head.deflated" -o "$lab_dir/curl.deflated" \
		http://10.9.0.2:8082/file 2>"$lab_dir/curl.deflated.err" &
	pids+=($!)
	# All are in the middle of one when the path is lost first.
	for ((i = 0; i < 100; i++)); do
		[ "$(find "$lab_dir" -maxdepth 1 \( -name 'curl.*' -o -name 'wget.*' \) -size +60k | wc -l)" -lt 11 ] || break
		sleep 0.05
	done
	flap_while "${pids[@]}"
	for pid in "${pids[@]}"; do
		wait "$pid" || { cat "$lab_dir"/curl.*.err; return 1; }
	done
	for what in "$lab_dir"/head.*; do
		grep -qi '^transfer-encoding: chunked' "$what"
		what=${what##*/head.}
		same "$lab_dir/curl.$what" "$lab_dir/www/file"
		[ ! -e "$lab_dir/wget.$what" ] || same "$lab_dir/wget.$what" "$lab_dir/www/file"
	done
	grep 'in the middle of an answer in chunks' "$lab_dir/client.log" | awk '{ print $3 }' | sort | uniq -c | tee "$lab_dir/moved"
	[ "$(wc -l <"$lab_dir/moved")" -ge 8 ]
}

@test "with a server that lies about the rest there are errors, and never a wrong byte" {
	local name may status ok=0 failed=0 pids=() seed=$RANDOM
	echo "seed $seed"
	lab_up
	web_policy
	lab_spawn server "$lab_dir/liar.log" python3 "$BATS_TEST_DIRNAME/../lab/liar.py" 8085 0.3 $seed
	lab_wait_port server 8085
	in_client curl -sS -o "$lab_dir/names" http://10.9.0.2:8085/names
	in_client curl -sS -o "$lab_dir/body" http://10.9.0.2:8085/body
	while read -r name may; do
		covered timeout 40 curl -sS -N -o "$lab_dir/lie.$name" "http://10.9.0.2:8085/$name" 2>"$lab_dir/err.$name" &
		pids+=("$! $name $may")
	done <"$lab_dir/names"
	for ((i = 0; i < 100; i++)); do
		[ "$(find "$lab_dir" -name 'lie.*' -size +100k | wc -l)" -lt "${#pids[@]}" ] || break
		sleep 0.1
	done
	lab_event wlan0 down
	for i in "${pids[@]}"; do
		read -r pid name may <<<"$i"
		status=0
		wait "$pid" || status=$?
		# Whatever became of it: no other byte than the right ones, in their places.
		cmp -n "$(stat -c %s "$lab_dir/lie.$name")" "$lab_dir/lie.$name" "$lab_dir/body"
		[ "$status" != 124 ] || { echo "$name: no end"; return 1; }
		if [ "$status" = 0 ]; then
			same "$lab_dir/lie.$name" "$lab_dir/body"
			ok=$((ok + 1))
		else
			failed=$((failed + 1))
		fi
		case $may in
		same) [ "$status" = 0 ] || { echo "$name: $status $(cat "$lab_dir/err.$name")"; return 1; } ;;
		error) [ "$status" != 0 ] || { echo "$name: went on"; return 1; } ;;
		esac
	done
	echo "$ok went on, $failed errors"
}

# The folder's file comes within some seconds.
await() { # FILE PID
	local i
	for ((i = 0; i < 200; i++)); do
		[ ! -e "$1" ] || return 0
		kill -0 "$2" 2>/dev/null || break
		sleep 0.05
	done
	echo "no $1"
	return 1
}

@test "each point of an exchange is gone on from, or ends in an error" {
	local pid status=0
	lab_up 5
	web_policy
	lab_spawn server "$lab_dir/server.log" python3 "$BATS_TEST_DIRNAME/../lab/web_server.py" 8086
	lab_wait_port server 8086
	covered python3 "$BATS_TEST_DIRNAME/../lab/web_client.py" 10.9.0.2 8086 "$lab_dir" >"$lab_dir/cases" 2>&1 &
	pid=$!
	await "$lab_dir/ready" $pid
	"$lab_build/mifcont" status >"$lab_dir/status" 2>&1 || :
	lab_event wlan0 down
	touch "$lab_dir/gone"
	wait $pid || status=$?
	cat "$lab_dir/cases"
	[ "$status" = 0 ]
}

@test "apt, git, python, curl -C and wget -r go on" {
	local pids=() pid i
	command -v nginx >/dev/null || skip "no nginx"
	lab_up 10 60
	web_policy
	web_file file 8
	mkdir -p "$lab_dir/www/tree"
	for i in 1 2 3 4 5 6 7 8; do
		web_file "tree/$i" 1
	done
	# Without an index to parse: what wget is to fetch.
	for i in 1 2 3 4 5 6 7 8; do echo "http://10.9.0.2:8080/tree/$i"; done >"$lab_dir/list"
	export HOME=$lab_dir GIT_AUTHOR_NAME=n GIT_AUTHOR_EMAIL=e GIT_COMMITTER_NAME=n GIT_COMMITTER_EMAIL=e
	git init -q "$lab_dir/source"
	for i in 1 2 3 4; do
		head -c 1500000 /dev/urandom >"$lab_dir/source/$i"
		git -C "$lab_dir/source" add .
		git -C "$lab_dir/source" commit -qm "$i"
	done
	git clone -q --bare "$lab_dir/source" "$lab_dir/www/source.git"
	git -C "$lab_dir/www/source.git" update-server-info
	find "$lab_dir/www" -type f -exec touch -d '1 hour ago' {} +
	chmod -R a+rX "$lab_dir/www"
	web_nginx 8080
	wait_port 8080
	head -c 3000000 "$lab_dir/www/file" >"$lab_dir/curl"
	covered curl -sS -C - -o "$lab_dir/curl" http://10.9.0.2:8080/file &
	pids+=($!)
	covered wget -q -t 1 -P "$lab_dir/tree" -i "$lab_dir/list" &
	pids+=($!)
	covered git clone -q http://10.9.0.2:8080/source.git "$lab_dir/clone" &
	pids+=($!)
	covered /usr/lib/apt/apt-helper -o APT::Sandbox::User=root -o Acquire::Retries=0 \
		download-file http://10.9.0.2:8080/file "$lab_dir/apt" "SHA256:$(sha256sum <"$lab_dir/www/file" | cut -d ' ' -f 1)" \
		>"$lab_dir/apt.log" 2>&1 &
	pids+=($!)
	covered python3 - "$lab_dir/python" <<-'END' &
		import sys, urllib.request
		with urllib.request.urlopen("http://10.9.0.2:8080/file", timeout=30) as r, open(sys.argv[1], "wb") as f:
		    while data := r.read(50000):
		        f.write(data)
	END
	pids+=($!)
	flap_while "${pids[@]}"
	for pid in "${pids[@]}"; do
		wait "$pid" || { cat "$lab_dir/apt.log"; return 1; }
	done
	for i in curl apt python; do
		same "$lab_dir/$i" "$lab_dir/www/file"
	done
	diff -r "$lab_dir/tree" "$lab_dir/www/tree"
	diff -r -x .git "$lab_dir/clone" "$lab_dir/source"
	echo "$(handovers) handovers"
	[ "$(handovers)" -ge 8 ]
}

@test "git's smart protocol: a clone is whole, or ends in an error at once" {
	local pids=() i n=0 whole=0 failed=0 status
	command -v lighttpd >/dev/null || skip "no lighttpd"
	lab_up 5 40
	web_policy
	mkdir -p "$lab_dir/www" "$lab_dir/cgi"
	export HOME=$lab_dir GIT_AUTHOR_NAME=n GIT_AUTHOR_EMAIL=e GIT_COMMITTER_NAME=n GIT_COMMITTER_EMAIL=e
	git init -q "$lab_dir/source"
	for i in 1 2 3; do
		head -c 1000000 /dev/urandom >"$lab_dir/source/$i"
		git -C "$lab_dir/source" add .
		git -C "$lab_dir/source" commit -qm "$i"
	done
	git clone -q --bare "$lab_dir/source" "$lab_dir/repos/source.git"
	git config -f "$lab_dir/.gitconfig" safe.directory '*'
	printf '#!/bin/sh\nexport HOME=%s GIT_PROJECT_ROOT=%s GIT_HTTP_EXPORT_ALL=1\nexec "$(git --exec-path)/git-http-backend"\n' \
		"$lab_dir" "$lab_dir/repos" >"$lab_dir/cgi/git"
	chmod -R a+rX "$lab_dir"
	chmod 755 "$lab_dir/cgi/git"
	web_lighttpd_more="server.modules = ( \"mod_alias\", \"mod_cgi\" )
		server.stream-response-body = 2
		alias.url = ( \"/cgi/\" => \"$lab_dir/cgi/\" )
		\$HTTP[\"url\"] =~ \"^/cgi/\" { cgi.assign = ( \"\" => \"\" ) }"
	web_lighttpd 8083
	wait_port 8083
	# Begun one after the other, so that the loss meets each elsewhere.
	for i in 1 2 3 4 5 6; do
		covered timeout 60 git clone -q http://10.9.0.2:8083/cgi/git/source.git "$lab_dir/clone$i" 2>"$lab_dir/err$i" &
		pids+=($!)
		sleep 0.25
	done
	for ((i = 0; i < 100; i++)); do
		[ "$(du -sk "$lab_dir/clone1" 2>/dev/null | cut -f 1)0" -lt 7000 ] || break
		sleep 0.05
	done
	lab_event wlan0 down
	for i in "${pids[@]}"; do
		n=$((n + 1)) status=0
		wait "$i" || status=$?
		if [ "$status" = 0 ]; then
			git -C "$lab_dir/clone$n" fsck --full --strict 2>&1
			diff -r -x .git "$lab_dir/clone$n" "$lab_dir/source"
			whole=$((whole + 1))
		else
			# What it could not have whole it says, and leaves nothing.
			[ "$status" = 128 ] || { echo "status $status"; cat "$lab_dir/err$n"; return 1; }
			grep -qE 'Connection reset by peer|Broken pipe' "$lab_dir/err$n" || { cat "$lab_dir/err$n"; return 1; }
			[ ! -e "$lab_dir/clone$n" ]
			failed=$((failed + 1))
		fi
	done
	echo "$whole whole, $failed errors"
	[ "$failed" -gt 0 ]
	# Its user's second try.
	covered git clone -q http://10.9.0.2:8083/cgi/git/source.git "$lab_dir/again"
	diff -r -x .git "$lab_dir/again" "$lab_dir/source"
}

@test "what survives by itself is left alone, and status says what would be lost" {
	local pid
	lab_up 5
	web_policy
	lab_spawn server "$lab_dir/server.log" python3 "$BATS_TEST_DIRNAME/../lab/web_server.py" 8086
	lab_wait_port server 8086
	covered curl -sS -N -o "$lab_dir/chunks" http://10.9.0.2:8086/chunks-untold &
	pid=$!
	for ((i = 0; i < 100; i++)); do
		[ ! -s "$lab_dir/chunks" ] || break
		sleep 0.05
	done
	in_client "$lab_build/mifcont" status --json | tee "$lab_dir/status" |
		jq -e '.[0].flows[0] | .continuity == "http" and (.covered | not) and (.handover | test("would be lost: the server names no strong"))' ||
		{ cat "$lab_dir/status"; return 1; }
	lab_event wlan0 down
	sleep 0.5
	lab_event wlan0 up
	wait $pid
	[ "$(stat -c %s "$lab_dir/chunks")" = 10240 ]
	[ "$(handovers)" = 0 ]
}

@test "a download leaves a path that is up and dead; one that is read slowly stays" {
	local pid rest
	command -v nginx >/dev/null || skip "no nginx"
	lab_up 5 40
	web_policy
	web_file file 12
	web_nginx 8080
	wait_port 8080
	covered timeout 60 curl -sS -o "$lab_dir/got" http://10.9.0.2:8080/file &
	pid=$!
	for ((i = 0; i < 100; i++)); do
		[ "$(stat -c %s "$lab_dir/got" 2>/dev/null || echo 0)" -lt 1000000 ] || break
		sleep 0.05
	done
	lab_event wlan0 dead
	wait $pid
	same "$lab_dir/got" "$lab_dir/www/file"
	grep -q 'silent: nothing of the answer' "$lab_dir/client.log"
	grep -q ': on wwan0, in the middle of an answer' "$lab_dir/client.log"
	lab_event wlan0 alive
	# A program that reads slowly is not one that waits.
	rest=$(handovers)
	covered timeout 60 curl -sS --limit-rate 1500K -o "$lab_dir/slow" http://10.9.0.2:8080/file
	same "$lab_dir/slow" "$lab_dir/www/file"
	[ "$(handovers)" = "$rest" ]
}
