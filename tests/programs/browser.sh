#!/bin/sh
# SPDX-License-Identifier: MIT
# A browser without a window looks at browser.html, and its result is fetched: browser.sh chromium|firefox-esr ORIGIN
# shellcheck disable=SC2154  # of scripts/programs
export HOME="$tmp" XDG_RUNTIME_DIR="$tmp"
case $1 in
chromium) set -- "$2" chromium --headless --no-sandbox --disable-gpu --user-data-dir="$tmp/profile" "--remote-debugging-pipe" "$2/" ;;
*)
	mkdir -p "$tmp/profile"
	set -- "$2" "$1" --headless --no-remote --profile "$tmp/profile" "$2/"
	;;
esac
origin=$1
shift
mkfifo "$tmp/in"
"$@" 3<>"$tmp/in" 4>/dev/null >"$tmp/browser.log" 2>&1 &
browser=$!
curl -sS --max-time 90 "$origin/result"
status=$?
[ $status = 0 ] || tail -n 5 "$tmp/browser.log" >&2
kill $browser
wait $browser
exit $status
