#!/bin/sh
# SPDX-License-Identifier: MIT
# A mailbox of 300 messages is fetched by IMAP.
: "${tmp:?a folder of its own}"
mkdir -p "$tmp/mail"
cat >"$tmp/conf" <<END
IMAPAccount lab
Host 10.9.0.2
Port 1430
User lab
Pass lab
SSLType None
AuthMechs LOGIN
Timeout 60

IMAPStore far
Account lab

MaildirStore near
Path $tmp/mail/
Inbox $tmp/mail/inbox

Channel all
Far :far:
Near :near:
Patterns INBOX
Create Near
SyncState *
END
mbsync -q -c "$tmp/conf" all || exit
find "$tmp/mail" -type f -path '*/cur/*' | while read -r f; do grep -v '^X-TUID' "$f" | sha256sum; done | sort
