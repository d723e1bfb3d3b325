#!/bin/sh
# SPDX-License-Identifier: MIT
# Netty.java with Debian's parts of Netty: netty.sh HOST PORT
# shellcheck disable=SC2154  # of scripts/programs
parts=$(printf '/usr/share/java/netty-%s.jar:' buffer codec common handler resolver transport)
: "${work:?}" "${helpers:?}"
[ -e "$work/Netty.class" ] || javac -d "$work" -cp "$parts" "$helpers/Netty.java" || exit 1
exec java -cp "$parts$work" Netty "$@"
