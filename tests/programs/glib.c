// SPDX-License-Identifier: MIT
// Ten echo connections of GIO's on a main loop, while libsoup downloads: glib HOST PORT URL
#include <libsoup/soup.h>
#include <stdlib.h>

static GMainLoop *loop;
static int left = 11;

struct peer {
	GSocketConnection *c;
	GDataInputStream *in;
	char *line;
	int n, i;
};

static void check(GError *e)
{
	if (e) {
		g_printerr("%s\n", e->message);
		exit(1);
	}
}

static void one_less(void)
{
	if (!--left)
		g_main_loop_quit(loop);
}

static gboolean next(gpointer p);

static void got(GObject *o, GAsyncResult *r, gpointer data)
{
	struct peer *p = data;
	GError *e = NULL;
	char *line = g_data_input_stream_read_line_finish(p->in, r, NULL, &e);

	check(e);
	if (!line || strncmp(line, p->line, strlen(line)) || strlen(line) + 1 != strlen(p->line)) {
		g_printerr("wrong\n");
		exit(1);
	}
	if (++p->i == 150) {
		g_io_stream_close(G_IO_STREAM(p->c), NULL, NULL);
		one_less();
	} else {
		g_timeout_add(15, next, p);
	}
}

static void written(GObject *o, GAsyncResult *r, gpointer data)
{
	struct peer *p = data;
	GError *e = NULL;

	g_output_stream_write_all_finish(G_OUTPUT_STREAM(o), r, NULL, &e);
	check(e);
	g_data_input_stream_read_line_async(p->in, 0, NULL, got, p);
}

static gboolean next(gpointer data)
{
	struct peer *p = data;
	char *x = g_strnfill(2000, 'x');

	p->line = g_strdup_printf("%d %d %s\n", p->n, p->i, x);
	g_output_stream_write_all_async(g_io_stream_get_output_stream(G_IO_STREAM(p->c)), p->line,
	                                strlen(p->line), 0, NULL, written, p);
	return FALSE;
}

static void connected(GObject *o, GAsyncResult *r, gpointer data)
{
	struct peer *p = data;
	GError *e = NULL;

	p->c = g_socket_client_connect_to_host_finish(G_SOCKET_CLIENT(o), r, &e);
	check(e);
	p->in = g_data_input_stream_new(g_io_stream_get_input_stream(G_IO_STREAM(p->c)));
	next(p);
}

static void loaded(GObject *o, GAsyncResult *r, gpointer data)
{
	GError *e = NULL;
	GBytes *b = soup_session_send_and_read_finish(SOUP_SESSION(o), r, &e);

	check(e);
	g_print("%s\n", g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, b));
	one_less();
}

int main(int argc, char **a)
{
	loop = g_main_loop_new(NULL, FALSE);
	for (int n = 0; n < 10; n++) {
		struct peer *p = g_new0(struct peer, 1);

		p->n = n;
		g_socket_client_connect_to_host_async(g_socket_client_new(), a[1], atoi(a[2]), NULL,
		                                      connected, p);
	}
	soup_session_send_and_read_async(soup_session_new(), soup_message_new("GET", a[3]), 0, NULL,
	                                 loaded, NULL);
	g_main_loop_run(loop);
	return 0;
}
