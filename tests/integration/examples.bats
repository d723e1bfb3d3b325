#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The policies that are ready to be used: what they say is what they mean to say.

setup() {
	root=$BATS_TEST_DIRNAME/../..
	mifcont=${MIFCONT_BUILD:-$root/build}/mifcont
}

@test "every example is without a mistake and without a doubt" {
	local f n=0
	for f in "$root"/policy/examples/*.conf; do
		run "$mifcont" policy check "$f"
		echo "$output"
		[ "$status" = 0 ]
		[[ ${lines[0]} == *": OK, "* ]]
		# Where names are meant that is said; nothing else is to be said of a rule.
		run grep -v -e ': OK, ' -e 'is over host names' <<<"$output"
		[ "$status" = 1 ]
		n=$((n + 1))
	done
	[ "$n" -ge 5 ]
}

# What a peer gets, and from which line.
gets() { # EXAMPLE PEER TEXT...
	local file=$root/policy/examples/$1.conf peer=$2 want
	shift 2
	run "$mifcont" policy explain --policy "$file" "$peer"
	[ "$status" = 0 ]
	for want in "$@"; do
		[[ $output == *"$want"* ]] || { echo "$file $peer: no '$want' in:"; echo "$output"; return 1; }
	done
}

@test "a typical peer of each gets what it should" {
	gets laptop 192.0.2.7:22 'continuity  session: through the relay'
	gets developer 10.1.2.3:5432 'continuity  session: through the relay' 'at 198.51.100.10, port 7343'
	gets developer 192.0.2.1:80 'continuity  http: straight to the peer'
	gets vehicle 192.0.2.20:5671 'continuity  session: through the relay' 'at 192.0.2.10, port 7343'
	gets vehicle 203.0.113.20:1883 'records the peer had not acknowledged are sent again (at least once)' \
		'opening     what the program began with is said again'
	gets point-of-sale 192.0.2.65:8443 'continuity  reset: no continuity: ECONNRESET'
	gets point-of-sale 192.0.2.33:443 'continuity  auto'
	gets sensor-logger 192.0.2.7:2004 'records the peer had not acknowledged are sent again (at least once)'
	gets sensor-logger 192.0.2.8:6379 'nothing is sent again (at most once)' 'opening     what the program began with'
	gets sensor-logger 192.0.2.7:123/udp 'continuity  redial: datagrams are sent from'
}

@test "make install puts them where the manual says" {
	run make -s -n -C "$root" install DESTDIR=/nowhere prefix=/usr
	[[ $output == *'/nowhere/usr/share/mifcont/examples/'* ]]
}
