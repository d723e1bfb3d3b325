#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A part of CPython's own tests gives the same results without the library, with it, and with every connection made a
# session. `make transparency` runs more.

load helper

@test "CPython's select, poll, epoll, selectors, socketserver and http.client tests" {
	need_lab
	run "$lab_root/scripts/transparency" cpython-short
	echo "$output"
	[ "$status" = 0 ]
	[ "$(grep -c ' 0 different' <<<"$output")" = 2 ]
	# They did run.
	[ "$(awk '$1 == "session" { print ($2 > 200) }' <<<"$output")" = 1 ]
}
