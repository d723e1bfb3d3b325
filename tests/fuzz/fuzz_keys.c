/* SPDX-License-Identifier: MIT */
/* The files of keys: the relays a client has met, the clients a relay serves. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/access.h"
#include "session/known.h"
#include "tests/fuzz/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void clients(const uint8_t *data, size_t size)
{
	struct server_request r = {
	    .proven = true, .target = {.family = 4, .port = 22}, .name = "a.example"};
	struct ses_addr here = {.family = 4, .ip = {1}};
	char path[64], err[256] = "";
	int fd = memfd_create("clients", MFD_CLOEXEC);
	struct access *a = access_new();

	must(fd >= 0 && a && write(fd, data, size) == (ssize_t)size, "no file to read");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fchmod(fd, 0600);
	if (access_clients(a, path, err, sizeof(err))) {
		/* Nobody is listed by the key of nobody's. */
		must(access_judge(a, &r, &here) == ACCESS_STRANGER || access_count(a) > 0,
		     "a stranger is served");
		r.proven = false;
		must(access_judge(a, &r, &here) == ACCESS_STRANGER,
		     "somebody without a key is served");
	} else {
		must(err[0] && !access_count(a), "refused without a reason, or half taken");
	}
	close(fd);
	access_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t key[KDF_KEY] = {0}, other[KDF_KEY];
	char text[KEY_TEXT], line[128];

	known_find((const char *)data, size, "relay.example:7343", key);
	known_is((const char *)data, size, "relay.example:7343");
	if (size == KEY_TEXT - 1 && key_from_text((const char *)data, size, key)) {
		key_to_text(key, text);
		must(key_from_text(text, KEY_TEXT - 1, other) && memcmp(key, other, KDF_KEY) == 0,
		     "a key that does not come back");
		size_t n = known_line("x:1", key, line, sizeof(line));

		must(known_find(line, n, "x:1", key) == KNOWN_SAME, "a line that is not found");
	}
	clients(data, size);
	return 0;
}
