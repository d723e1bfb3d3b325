/* SPDX-License-Identifier: MIT */
/*
 * The policy file, by libconfuse. A message must say what was expected, and on the line of the
 * mistake.
 */
#include "policy/loading.h"
#include "policy/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (1 << 20)

__thread struct load *now;

void complain(int line, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	if (now->room == 0 || now->err[0])
		return;
	if (line)
		snprintf(now->err, now->room, "%s:%d: ", now->file, line);
	else
		snprintf(now->err, now->room, "%s: ", now->file);
	n = strlen(now->err);
	va_start(ap, fmt);
	vsnprintf(now->err + n, now->room - n, fmt, ap);
	va_end(ap);
	/* It goes to logs and terminals, and part of it comes from the file. */
	for (char *p = now->err; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
}

bool section_is(const cfg_t *cfg, const char *section)
{
	return cfg && cfg->name && strcmp(cfg->name, section) == 0;
}

static void on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	const char *expected = "interface \"NAME\" { ... }, peer \"PATTERN\" { ... }, "
	                       "stability { ... } or connectivity { ... }";
	char text[256];

	vsnprintf(text, sizeof(text), fmt, ap);
	if (section_is(cfg, "peer"))
		expected = "continuity = WORD, replay = WORD, records = WORD, length { ... }, "
		           "opening = recorded, opening { ... }, opening-words = \"WORDS\", "
		           "binding-words = \"WORDS\", answer-ends = \"WORDS\", "
		           "sticky = true, address-bound = true, on-handover = \"COMMAND\", "
		           "resolve = WORD, "
		           "relay = \"HOST:PORT\", relay-key = \"KEY\", identity = \"FILE\" or "
		           "standby = WORD";
	else if (section_is(cfg, "OPENING"))
		expected = "send = \"TEXT\" or expect = \"PATTERN\"";
	else if (section_is(cfg, "length"))
		expected = "offset = BYTES, width = BYTES, order = big or little, or counts = WORD";
	else if (section_is(cfg, "interface"))
		expected = "prefer = NUMBER, metered = true, nat64 = \"PREFIX\" or nat64 = network";
	else if (section_is(cfg, "connectivity"))
		expected = "url = \"http://HOST/PATH\", expect = \"TEXT\" or portal-api = true";
	else if (section_is(cfg, "stability"))
		expected =
		    "stable, hold, damp, spread, outage or gone = MILLISECONDS, or silence = false";
	complain(cfg ? cfg->line : 0, "%s; expected %s", text, expected);
}

/* --- the file ------------------------------------------------------------------------------- */

static bool fill(int fd, char *text, size_t size)
{
	size_t have = 0;

	while (have < size) {
		ssize_t n = read(fd, text + have, size - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			complain(0, "%s; expected a readable policy file", strerror(errno));
			return false;
		}
		if (n == 0)
			break;
		have += (size_t)n;
	}
	text[have] = 0;
	if (strlen(text) == have)
		return true;
	complain(0, "holds a zero byte; expected text");
	return false;
}

static char *read_file(const char *file)
{
	struct stat st;
	char *text = NULL;
	/* O_NONBLOCK: a FIFO must not hold up a stranger's program. */
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 || fstat(fd, &st) < 0) {
		complain(0, "%s; expected a readable policy file", strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		complain(0, "not a regular file; expected a policy file");
	} else if (st.st_size > FILE_MAX) {
		complain(0, "larger than 1 MiB; expected a policy file");
	} else if ((text = malloc((size_t)st.st_size + 1)) && !fill(fd, text, (size_t)st.st_size)) {
		free(text);
		text = NULL;
	}
	if (fd >= 0)
		close(fd);
	now->trusted = text && (st.st_uid == 0 || st.st_uid == geteuid()) && !(st.st_mode & 022);
	return text;
}

static void check_keys(cfg_opt_t *of)
{
	for (; of->name; of++)
		of->validcb = on_key;
}

/* All of the text into now->pol. */
static bool parse(const char *text)
{
	cfg_opt_t interface[] = {
	    CFG_STR("prefer", NULL, CFGF_NONE),
	    CFG_STR("metered", NULL, CFGF_NONE),
	    CFG_STR("nat64", NULL, CFGF_NONE),
	    CFG_END(),
	};
	cfg_opt_t length[] = {
	    CFG_STR("offset", NULL, CFGF_NONE),
	    CFG_STR("width", NULL, CFGF_NONE),
	    CFG_STR("order", NULL, CFGF_NONE),
	    CFG_STR("counts", NULL, CFGF_NONE),
	    CFG_END(),
	};
	cfg_opt_t script[] = {
	    CFG_STR("send", NULL, CFGF_NONE),
	    CFG_STR("expect", NULL, CFGF_NONE),
	    CFG_END(),
	};
	cfg_opt_t peer[] = {
	    CFG_SEC("length", length, CFGF_NONE),      CFG_SEC("OPENING", script, CFGF_NONE),
	    CFG_STR("opening", NULL, CFGF_NONE),       CFG_STR("opening-words", NULL, CFGF_NONE),
	    CFG_STR("binding-words", NULL, CFGF_NONE), CFG_STR("answer-ends", NULL, CFGF_NONE),
	    CFG_STR("continuity", NULL, CFGF_NONE),    CFG_STR("replay", NULL, CFGF_NONE),
	    CFG_STR("records", NULL, CFGF_NONE),       CFG_STR("sticky", NULL, CFGF_NONE),
	    CFG_STR("address-bound", NULL, CFGF_NONE), CFG_STR("on-handover", NULL, CFGF_NONE),
	    CFG_STR("resolve", NULL, CFGF_NONE),       CFG_STR("relay", NULL, CFGF_NONE),
	    CFG_STR("relay-key", NULL, CFGF_NONE),     CFG_STR("identity", NULL, CFGF_NONE),
	    CFG_STR("standby", NULL, CFGF_NONE),       CFG_END(),
	};

	cfg_opt_t stability[] = {
	    CFG_STR("stable", NULL, CFGF_NONE),  CFG_STR("hold", NULL, CFGF_NONE),
	    CFG_STR("damp", NULL, CFGF_NONE),    CFG_STR("spread", NULL, CFGF_NONE),
	    CFG_STR("silence", NULL, CFGF_NONE), CFG_STR("outage", NULL, CFGF_NONE),
	    CFG_STR("gone", NULL, CFGF_NONE),    CFG_END(),
	};
	cfg_opt_t connectivity[] = {
	    CFG_STR("url", NULL, CFGF_NONE),
	    CFG_STR("portal-api", NULL, CFGF_NONE),
	    CFG_STR("expect", NULL, CFGF_NONE),
	    CFG_END(),
	};
	cfg_opt_t top[] = {
	    CFG_SEC("interface", interface, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
	    CFG_SEC("peer", peer, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
	    CFG_SEC("stability", stability, CFGF_NONE),
	    CFG_SEC("connectivity", connectivity, CFGF_NONE),
	    CFG_END(),
	};
	cfg_t *cfg;
	bool ok;

	check_keys(interface);
	check_keys(length);
	check_keys(peer);
	peer[0].validcb = on_length;
	script[0].validcb = script[1].validcb = on_step;
	peer[1].validcb = on_opening;
	check_keys(stability);
	check_keys(connectivity);
	top[0].validcb = on_interface;
	top[1].validcb = on_peer;
	top[2].validcb = on_stability;
	top[3].validcb = on_connectivity;
	pol_streams();
	cfg = cfg_init(top, CFGF_NONE);
	if (!cfg)
		return false;
	cfg_set_error_function(cfg, on_error);
	ok = cfg_parse_buf(cfg, text) == CFG_SUCCESS;
	cfg_free(cfg);
	return ok;
}

static bool load(struct load *l)
{
	struct pol *p = l->pol = calloc(1, sizeof(*p));
	char *text = p ? read_file(l->file) : NULL;
	bool ok = text && scan(text, &l->scan);

	if (text && !ok)
		complain(l->scan.error_line, "%s", l->scan.error);
	if (ok) {
		p->stability = pol_calm;
		p->interface = calloc(l->scan.sections[SCAN_INTERFACE] + 1, sizeof(*p->interface));
		p->peer = calloc(l->scan.sections[SCAN_PEER] + 1, sizeof(*p->peer));
		ok = p->interface && p->peer && parse(text);
	}
	free(text);
	return ok;
}

struct pol *pol_load(const char *file, char *err, size_t err_len)
{
	struct load *l = calloc(1, sizeof(*l));
	struct pol *p = NULL;

	if (err_len)
		err[0] = 0;
	if (!l)
		return NULL;
	l->file = file;
	l->err = err;
	l->room = err_len;
	now = l;
	if (load(l)) {
		p = l->pol;
	} else {
		complain(0, "cannot be read; expected a policy file");
		pol_free(l->pol);
	}
	for (unsigned i = 0; i < l->steps; i++)
		free(l->step[i].text);
	now = NULL;
	free(l);
	return p;
}
