/* SPDX-License-Identifier: MIT */
#include "service/fetch.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "service/loop.h"
#include "service/names.h"

#define REDIRECTIONS 5
#define ALL_MS 20000

enum step { RESOLVING, GETTING, GOT, ENDED };

struct fetch {
	struct fetch_how how;
	fetch_fn *done;
	void *ctx;
	enum step step;
	enum fetch_result result;
	char why[CURL_ERROR_SIZE];
	int64_t deadline;
	int redirections;

	struct names names;
	char host[256];
	char port[8];

	CURL *easy;
	struct curl_slist *headers, *resolve;
	char *body;
	size_t len;
	struct fetch *next, **link;
};

static CURLM *multi;
static struct fetch *fetches;
static int64_t multi_due = -1;
static char authorities[4096];

static void end(struct fetch *f, enum fetch_result r, const char *why)
{
	f->step = ENDED;
	f->result = r;
	if (why != f->why)
		snprintf(f->why, sizeof(f->why), "%s", why);
}

static void look_up(struct fetch *f)
{
	f->step = RESOLVING;
	names_start(&f->names, &f->how, f->host);
}

/* --- the URL --- */

static bool take(CURLU *u, CURLUPart part, unsigned flags, char *out, size_t size)
{
	char *text = NULL;
	bool fits = curl_url_get(u, part, &text, flags) == CURLUE_OK && strlen(text) < size;

	if (fits)
		strcpy(out, text);
	curl_free(text);
	return fits;
}

/* Its host and port; only HTTPS, and nobody's password. */
static bool take_apart(struct fetch *f, const char *url)
{
	CURLU *u = curl_url();
	char scheme[8];
	bool ok = u && strlen(url) < sizeof(f->how.url) &&
	          curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
	          take(u, CURLUPART_SCHEME, 0, scheme, sizeof(scheme)) &&
	          strcmp(scheme, "https") == 0 &&
	          curl_url_get(u, CURLUPART_USER, (char *[]){NULL}, 0) == CURLUE_NO_USER &&
	          take(u, CURLUPART_HOST, 0, f->host, sizeof(f->host)) &&
	          take(u, CURLUPART_PORT, CURLU_DEFAULT_PORT, f->port, sizeof(f->port));

	curl_url_cleanup(u);
	if (ok && url != f->how.url)
		strcpy(f->how.url, url);
	return ok;
}

/* --- HTTP --- */

static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *to)
{
	const struct fetch *f = ctx;
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	struct sockaddr_in in = {.sin_family = AF_INET};
	const struct sockaddr *from = (const struct sockaddr *)&in6;
	socklen_t len = sizeof(in6);
	int fd;

	if (purpose != CURLSOCKTYPE_IPCXN || to->family != f->how.source.family)
		return CURL_SOCKET_BAD;
	fd = socket(to->family, to->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, to->protocol);
	if (fd < 0)
		return CURL_SOCKET_BAD;
	memcpy(&in6.sin6_addr, f->how.source.ip, sizeof(in6.sin6_addr));
	if (to->family == AF_INET) {
		memcpy(&in.sin_addr, f->how.source.ip, sizeof(in.sin_addr));
		from = (const struct sockaddr *)&in;
		len = sizeof(in);
	}
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, f->how.interface,
	               (socklen_t)strlen(f->how.interface)) < 0 ||
	    bind(fd, from, len) < 0) {
		close(fd);
		return CURL_SOCKET_BAD;
	}
	return fd;
}

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
	struct fetch *f = ctx;
	char *more;

	(void)size;
	if (f->len + n > FETCH_BODY)
		return 0;
	more = realloc(f->body, f->len + n + 1);
	if (!more)
		return 0;
	f->body = more;
	memcpy(f->body + f->len, data, n);
	f->len += n;
	f->body[f->len] = 0;
	return n;
}

static void forget_http(struct fetch *f)
{
	if (f->easy) {
		curl_multi_remove_handle(multi, f->easy);
		curl_easy_cleanup(f->easy);
	}
	curl_slist_free_all(f->headers);
	curl_slist_free_all(f->resolve);
	free(f->body);
	f->easy = NULL;
	f->headers = f->resolve = NULL;
	f->body = NULL;
	f->len = 0;
}

static void set(struct fetch *f)
{
	CURL *e = f->easy;
	char line[1024], accept[128];
	int n = snprintf(line, sizeof(line), "%s:%s:", f->host, f->port);

	for (unsigned i = 0; i < f->names.count; i++)
		n += snprintf(line + n, sizeof(line) - (size_t)n, "%s%s%s%s", i ? "," : "",
		              f->how.source.family == AF_INET6 ? "[" : "", f->names.address[i],
		              f->how.source.family == AF_INET6 ? "]" : "");
	snprintf(accept, sizeof(accept), "Accept: %s", f->how.type);
	f->resolve = curl_slist_append(NULL, line);
	f->headers = curl_slist_append(NULL, accept);
	curl_easy_setopt(e, CURLOPT_URL, f->how.url);
	curl_easy_setopt(e, CURLOPT_PRIVATE, f);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, f->why);
	curl_easy_setopt(e, CURLOPT_RESOLVE, f->resolve);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, f->headers);
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "https");
#else
	curl_easy_setopt(e, CURLOPT_PROTOCOLS, (long)CURLPROTO_HTTPS);
#endif
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)ALL_MS / 2);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)ALL_MS);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, f);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, f);
	if (*authorities) {
		curl_easy_setopt(e, CURLOPT_CAINFO, authorities);
		curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
	}
}

static void get(struct fetch *f)
{
	f->step = GETTING;
	f->easy = curl_easy_init();
	if (!f->easy) {
		end(f, FETCH_UNREACHED, "no memory");
		return;
	}
	set(f);
	if (!f->resolve || !f->headers || curl_multi_add_handle(multi, f->easy) != CURLM_OK)
		end(f, FETCH_UNREACHED, "no memory");
}

/* A type may have parameters. */
static bool right_type(const struct fetch *f)
{
	char *got = NULL;
	size_t n;

	curl_easy_getinfo(f->easy, CURLINFO_CONTENT_TYPE, &got);
	if (!got)
		return false;
	n = strcspn(got, "; \t");
	return n == strlen(f->how.type) && strncasecmp(got, f->how.type, n) == 0;
}

static void redirected(struct fetch *f)
{
	char *to = NULL, url[FETCH_URL] = "";

	curl_easy_getinfo(f->easy, CURLINFO_REDIRECT_URL, &to);
	if (to && strlen(to) < sizeof(url))
		strcpy(url, to);
	forget_http(f);
	if (!*url || ++f->redirections > REDIRECTIONS || !take_apart(f, url)) {
		end(f, FETCH_REFUSED, "a redirection that is not followed");
		return;
	}
	look_up(f);
}

static void answered(struct fetch *f, CURLcode r)
{
	long status = 0;

	curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
	if (r != CURLE_OK) {
		bool far = r == CURLE_COULDNT_CONNECT || r == CURLE_OPERATION_TIMEDOUT ||
		           r == CURLE_COULDNT_RESOLVE_HOST || r == CURLE_RECV_ERROR ||
		           r == CURLE_SEND_ERROR || r == CURLE_GOT_NOTHING;

		end(f, far ? FETCH_UNREACHED : FETCH_REFUSED,
		    *f->why ? f->why : curl_easy_strerror(r));
	} else if (status >= 300 && status < 400) {
		redirected(f);
	} else if (status < 200 || status >= 300) {
		snprintf(f->why, sizeof(f->why), "HTTP status %ld", status);
		end(f, FETCH_REFUSED, f->why);
	} else if (!right_type(f)) {
		end(f, FETCH_REFUSED, "another type of answer");
	} else {
		f->step = GOT;
		f->result = FETCH_GOT;
	}
}

/* --- libcurl's sockets and times --- */

static void on_http(void *ctx, int fd, uint32_t events)
{
	int running, what = 0;

	(void)ctx;
	if (events & EPOLLIN)
		what |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		what |= CURL_CSELECT_OUT;
	if (events & (EPOLLERR | EPOLLHUP))
		what |= CURL_CSELECT_ERR;
	curl_multi_socket_action(multi, fd, what, &running);
}

static int on_http_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *of)
{
	struct watch *w = of;

	(void)easy;
	(void)ctx;
	if (what == CURL_POLL_REMOVE) {
		if (w) {
			loop_watch(w, 0);
			free(w);
		}
		return 0;
	}
	if (!w) {
		w = calloc(1, sizeof(*w));
		if (!w)
			return -1;
		*w = (struct watch){.fd = fd, .ready = on_http};
		curl_multi_assign(multi, fd, w);
	}
	loop_watch(w, (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0));
	return 0;
}

static int on_http_timer(CURLM *m, long ms, void *ctx)
{
	(void)m;
	(void)ctx;
	multi_due = ms < 0 ? -1 : clock_ms() + ms;
	return 0;
}

/* --- from outside --- */

bool fetch_init(const char *file)
{
	if (file && strlen(file) >= sizeof(authorities))
		return false;
	if (file)
		strcpy(authorities, file);
	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS ||
	    curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(multi = curl_multi_init()))
		return false;
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_http_socket);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_http_timer);
	return true;
}

struct fetch *fetch_start(const struct fetch_how *how, fetch_fn *done, void *ctx)
{
	struct fetch *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->how = *how;
	f->done = done;
	f->ctx = ctx;
	f->deadline = clock_ms() + ALL_MS;
	f->link = &fetches;
	f->next = fetches;
	if (fetches)
		fetches->link = &f->next;
	fetches = f;
	/* What ends at once is told by the next step. */
	if (take_apart(f, f->how.url))
		look_up(f);
	else
		end(f, FETCH_REFUSED, "no URL of HTTPS");
	return f;
}

void fetch_cancel(struct fetch *f)
{
	names_end(&f->names);
	forget_http(f);
	*f->link = f->next;
	if (f->next)
		f->next->link = f->link;
	free(f);
}

int64_t fetch_due(int64_t now)
{
	int64_t due = fetches ? multi_due : -1;

	for (const struct fetch *f = fetches; f; f = f->next) {
		int64_t names = f->step == RESOLVING ? names_due(&f->names, now) : -1;

		if (f->step == ENDED || f->step == GOT)
			return now;
		if (due < 0 || f->deadline < due)
			due = f->deadline;
		if (names >= 0 && names < due)
			due = names;
	}
	return due;
}

static void collect(void)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(multi, &left)) != NULL) {
		struct fetch *f = NULL;

		if (msg->msg != CURLMSG_DONE)
			continue;
		CURLcode r = msg->data.result; /* `msg` goes with the handle */

		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&f);
		answered(f, r);
	}
}

void fetch_step(int64_t now)
{
	struct fetch *f, *next;
	int running;

	if (!fetches)
		return;
	if (multi_due >= 0 && now >= multi_due) {
		multi_due = -1;
		curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
	collect();
	for (f = fetches; f; f = next) {
		next = f->next;
		if (f->step == RESOLVING)
			names_step(&f->names);
		if (f->step == RESOLVING && f->names.over) {
			names_end(&f->names);
			if (f->names.count)
				get(f);
			else
				end(f, FETCH_UNREACHED, f->names.why);
		}
		if (f->step != ENDED && f->step != GOT && now >= f->deadline)
			end(f, FETCH_UNREACHED, "no answer in time");
		if (f->step != ENDED && f->step != GOT)
			continue;
		/* Whoever is told may cancel others. */
		fetch_fn *done = f->done;
		void *ctx = f->ctx;
		enum fetch_result r = f->result;
		char *body = f->body, why[CURL_ERROR_SIZE];
		size_t len = f->len;

		snprintf(why, sizeof(why), "%s", f->why);
		f->body = NULL;
		fetch_cancel(f);
		done(ctx, r, body ? body : "", len, why);
		free(body);
		next = fetches;
	}
}
