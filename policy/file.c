/* SPDX-License-Identifier: MIT */
/* The policy file, by libconfuse. */
#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/rules.h"

#define FILE_MAX (1 << 20)
#define SECTIONS_MAX 4096

/* Where the first error goes: libconfuse hands its error function no context of ours. One load at a
 * time in a thread. */
static __thread char *err_to;
static __thread size_t err_room;
static __thread const char *err_file;

static void complain(int line, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (!err_to || err_to[0])
		return;
	n = line ? snprintf(err_to, err_room, "%s:%d: ", err_file, line)
	         : snprintf(err_to, err_room, "%s: ", err_file);
	if (n < 0 || (size_t)n >= err_room)
		return;
	va_start(ap, fmt);
	vsnprintf(err_to + n, err_room - (size_t)n, fmt, ap);
	va_end(ap);
}

static void on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	char text[256];

	vsnprintf(text, sizeof(text), fmt, ap);
	complain(cfg ? cfg->line : 0,
	         "%s; expected interface \"NAME\" { prefer = N  metered = BOOL } or peer "
	         "\"PATTERN\" { continuity = WORD  "
	         "replay = WORD  relay = \"HOST:PORT\" }",
	         text);
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
	} else if ((text = malloc((size_t)st.st_size + 1))) {
		ssize_t n, have = 0;

		while (have < st.st_size &&
		       (n = read(fd, text + have, (size_t)(st.st_size - have))) > 0)
			have += n;
		text[have] = 0;
		if (strlen(text) != (size_t)have) {
			complain(0, "holds a zero byte; expected text");
			free(text);
			text = NULL;
		}
	}
	if (fd >= 0)
		close(fd);
	return text;
}

/*
 * Overwrites comments with blanks, in place: libconfuse 3.3 counts the line a comment stands on
 * twice, and a message must name the right one.
 */
static void blank_comments(char *s)
{
	char quote = 0;

	while (*s) {
		if (quote) {
			if (*s == '\\' && s[1])
				s++;
			else if (*s == quote)
				quote = 0;
			s++;
		} else if (*s == '"' || *s == '\'') {
			quote = *s++;
		} else if (*s == '#' || (*s == '/' && s[1] == '/')) {
			while (*s && *s != '\n')
				*s++ = ' ';
		} else if (*s == '/' && s[1] == '*') {
			char *end = strstr(s + 2, "*/");

			/* One that never ends is libconfuse's to complain about. */
			if (!end)
				return;
			for (end += 2; s < end; s++)
				if (*s != '\n')
					*s = ' ';
		} else {
			s++;
		}
	}
}

static bool word(const char *value, const char *const *words, int count, int *out)
{
	for (int i = 0; i < count; i++)
		if (strcmp(value, words[i]) == 0) {
			*out = i;
			return true;
		}
	return false;
}

static bool parse_relay(const char *text, struct pol_rule *r)
{
	const char *colon = strrchr(text, ':');
	char *end;

	if (!colon || colon == text)
		return false;
	long port = strtol(colon + 1, &end, 10);

	if (*end || end == colon + 1 || port < 1 || port > 65535)
		return false;
	r->relay_port = (uint16_t)port;
	size_t len = (size_t)(colon - text);

	if (len == 9 && strncmp(text, "same-host", 9) == 0)
		return true;
	if (text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	r->relay_host = len ? strndup(text, len) : NULL;
	return r->relay_host != NULL;
}

static bool take_peer(cfg_t *sec, struct rule_peer *p)
{
	static const char *const continuities[] = {"auto",   "none", "reset",
	                                           "redial", "http", "session"};
	static const char *const replays[] = {"none", "line", "length-prefix"};
	const char *why, *title = cfg_title(sec);
	const char *continuity = cfg_getstr(sec, "continuity");
	const char *replay = cfg_getstr(sec, "replay"), *relay = cfg_getstr(sec, "relay");
	int line = sec->line, n;

	if (!pattern_parse(title, &p->pattern, &why)) {
		complain(line, "peer pattern \"%s\" not understood; expected %s", title, why);
		return false;
	}
	p->rule.line = line;
	p->rule.relay_port = 7343;
	p->rule.pattern = strdup(title);
	if (!continuity) {
		complain(line,
		         "peer \"%s\" says nothing of continuity; expected continuity = auto, "
		         "none, reset, redial, http or session",
		         title);
		return false;
	}
	if (!word(continuity, continuities, 6, &n)) {
		complain(line,
		         "continuity = %s not known; expected auto, none, reset, redial, http or "
		         "session",
		         continuity);
		return false;
	}
	p->rule.continuity = (enum pol_continuity)n;
	if (replay) {
		if (!word(replay, replays, 3, &n)) {
			complain(line,
			         "replay = %s not known; expected line, length-prefix or none",
			         replay);
			return false;
		}
		if (p->rule.continuity != POL_REDIAL) {
			complain(line,
			         "replay without re-dial; expected continuity = redial beside it");
			return false;
		}
		p->rule.replay = (enum pol_replay)n;
	}
	if (relay) {
		if (p->rule.continuity != POL_SESSION) {
			complain(line,
			         "relay without session; expected continuity = session beside it");
			return false;
		}
		if (!parse_relay(relay, &p->rule)) {
			complain(line,
			         "relay = \"%s\" not understood; expected \"same-host:7343\" or "
			         "\"HOST:PORT\"",
			         relay);
			return false;
		}
	}
	return true;
}

static bool take_interface(cfg_t *sec, struct rule_interface *i)
{
	long prefer = cfg_getint(sec, "prefer");

	if (prefer < 0 || prefer > 1000000) {
		complain(sec->line, "prefer = %ld; expected a number from 0 to 1000000", prefer);
		return false;
	}
	i->pattern = strdup(cfg_title(sec));
	i->prefer = (int)prefer;
	i->metered = cfg_getbool(sec, "metered");
	return i->pattern && *i->pattern;
}

static struct pol *take_all(cfg_t *cfg)
{
	unsigned interfaces = cfg_size(cfg, "interface"), peers = cfg_size(cfg, "peer");
	struct pol *p = calloc(1, sizeof(*p));
	bool ok = p && interfaces + peers <= SECTIONS_MAX;

	if (!ok)
		complain(0, "more than %d sections", SECTIONS_MAX);
	if (ok) {
		p->interface = calloc(interfaces + 1, sizeof(*p->interface));
		p->peer = calloc(peers + 1, sizeof(*p->peer));
		ok = p->interface && p->peer;
	}
	for (unsigned i = 0; ok && i < interfaces; i++)
		ok = take_interface(cfg_getnsec(cfg, "interface", i),
		                    &p->interface[p->interfaces++]);
	for (unsigned i = 0; ok && i < peers; i++)
		ok = take_peer(cfg_getnsec(cfg, "peer", i), &p->peer[p->peers++]);
	if (ok)
		return p;
	pol_free(p);
	return NULL;
}

struct pol *pol_load(const char *file, char *err, size_t err_len)
{
	/* CFGF_NODEFAULT: what is not written must be told from what is. */
	cfg_opt_t interface[] = {
	    CFG_INT("prefer", 0, CFGF_NONE),
	    CFG_BOOL("metered", cfg_false, CFGF_NONE),
	    CFG_END(),
	};
	cfg_opt_t peer[] = {
	    CFG_STR("continuity", NULL, CFGF_NONE),
	    CFG_STR("replay", NULL, CFGF_NONE),
	    CFG_STR("relay", NULL, CFGF_NONE),
	    CFG_END(),
	};
	cfg_opt_t top[] = {
	    CFG_SEC("interface", interface, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
	    CFG_SEC("peer", peer, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
	    CFG_END(),
	};
	struct pol *p = NULL;

	err[0] = 0;
	err_to = err;
	err_room = err_len;
	err_file = file;
	char *text = read_file(file);
	if (text)
		blank_comments(text);
	cfg_t *cfg = text ? cfg_init(top, CFGF_NONE) : NULL;

	if (cfg) {
		cfg_set_error_function(cfg, on_error);
		if (cfg_parse_buf(cfg, text) == CFG_SUCCESS)
			p = take_all(cfg);
		cfg_free(cfg);
	}
	if (!p)
		complain(0, "cannot be read; expected a policy file");
	free(text);
	err_to = NULL;
	return p;
}
