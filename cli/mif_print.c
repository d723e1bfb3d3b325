/* SPDX-License-Identifier: MIT */
#include "cli/mif_print.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void mif_timestamp(char *out, size_t size)
{
	struct timespec now;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	n = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &tm);
	n += (size_t)snprintf(out + n, size - n, ".%03ld", now.tv_nsec / 1000000);
	strftime(out + n, size - n, "%z", &tm);
}

/* "" if there is none. */
static unsigned address(const struct sockaddr_storage *a, char ip[INET6_ADDRSTRLEN])
{
	ip[0] = 0;
	if (a->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)a;

		inet_ntop(AF_INET, &in->sin_addr, ip, INET6_ADDRSTRLEN);
		return ntohs(in->sin_port);
	}
	if (a->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)a;

		inet_ntop(AF_INET6, &in6->sin6_addr, ip, INET6_ADDRSTRLEN);
		return ntohs(in6->sin6_port);
	}
	return 0;
}

static bool has_id(const struct mif_message *m)
{
	return m->type == MIF_NAME_TRANSLATION || m->type == MIF_NO_NAME_TRANSLATION ||
	       m->type == MIF_CONNECTED || m->type == MIF_NOT_CONNECTED;
}

static bool has_data(const struct mif_message *m)
{
	return m->type == MIF_CONFIGURATION_DATA || m->type == MIF_NO_CONFIGURATION_DATA;
}

static bool is_name(const struct mif_message *m)
{
	return m->type == MIF_NAME_TRANSLATION || m->type == MIF_NO_NAME_TRANSLATION;
}

static bool has_number(const struct mif_message *m)
{
	return m->type == MIF_CONFIGURATION_DATA &&
	       (m->information == MIF_MTU || m->information == MIF_NO_INTERNET ||
	        m->information == MIF_DHCPV4_BOUND || m->information == MIF_CAPTIVE ||
	        m->information == MIF_PORTAL_SESSION);
}

static void lifetime(const char *what, uint32_t s)
{
	if (s == MIF_FOREVER)
		printf(" %s forever", what);
	else
		printf(" %s %us", what, s);
}

static void print_text(const struct mif_message *m, const char *when)
{
	char ip[INET6_ADDRSTRLEN], from[INET6_ADDRSTRLEN];
	unsigned port = address(&m->address, ip);

	address(&m->source, from);
	printf("%s %s", when, mif_type_name(m->type));
	if (has_id(m))
		printf(" %u", m->id);
	if (m->name[0])
		printf(" %s", m->name);
	if (m->interface && !is_name(m))
		printf(" (%d)", m->interface);
	if (m->pvd[0])
		printf(" %s", m->pvd);
	if (m->element)
		printf(" %s", mif_element_name(m->element));
	if (has_data(m))
		printf(" %s", mif_information_name(m->information));
	if (ip[0])
		printf(" %s", ip);
	if (ip[0] && m->prefix_len)
		printf("/%u", m->prefix_len);
	if (port)
		printf(" port %u", port);
	if (from[0])
		printf(" from %s", from);
	if (m->type == MIF_ADDRESS) {
		lifetime("valid", m->valid);
		lifetime("preferred", m->preferred);
		printf("%s", m->deprecated ? " deprecated" : "");
	}
	if (has_number(m))
		printf(" %u", m->number);
	if (m->text[0])
		printf("%s %s", has_data(m) ? "" : ":", m->text);
	putchar('\n');
}

/* Bytes that are no UTF-8 are not for JSON. */
static void set_text(json_t *o, const char *key, const char *text)
{
	json_t *s = text[0] ? json_string(text) : NULL;

	if (s)
		json_object_set_new(o, key, s);
}

static void set_lifetime(json_t *o, const char *key, uint32_t s)
{
	json_object_set_new(o, key, s == MIF_FOREVER ? json_null() : json_integer(s));
}

static void print_json(const struct mif_message *m, const char *when)
{
	char ip[INET6_ADDRSTRLEN], from[INET6_ADDRSTRLEN];
	unsigned port = address(&m->address, ip);
	json_t *o = json_object();

	address(&m->source, from);
	json_object_set_new(o, "time", json_string(when));
	json_object_set_new(o, "event", json_string(mif_type_name(m->type)));
	if (has_id(m))
		json_object_set_new(o, "id", json_integer(m->id));
	set_text(o, is_name(m) ? "name" : "interface", m->name);
	if (m->interface)
		json_object_set_new(o, "ifindex", json_integer(m->interface));
	set_text(o, "pvd", m->pvd);
	if (m->type == MIF_PVD)
		json_object_set_new(o, "implicit", json_boolean(m->implicit));
	if (m->element)
		set_text(o, "element", mif_element_name(m->element));
	if (has_data(m))
		set_text(o, "information", mif_information_name(m->information));
	set_text(o, "address", ip);
	if (ip[0] && m->prefix_len)
		json_object_set_new(o, "prefix", json_integer(m->prefix_len));
	if (port)
		json_object_set_new(o, "port", json_integer(port));
	set_text(o, "source", from);
	if (m->type == MIF_ADDRESS) {
		set_lifetime(o, "valid", m->valid);
		set_lifetime(o, "preferred", m->preferred);
		json_object_set_new(o, "deprecated", json_boolean(m->deprecated));
	}
	if (has_number(m))
		json_object_set_new(o, "number", json_integer(m->number));
	if (m->error)
		json_object_set_new(o, "errno", json_integer(m->error));
	set_text(o, has_data(m) ? "text" : "reason", m->text);
	json_dumpf(o, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(o);
}

void mif_print(const struct mif_message *m, bool json)
{
	char when[48];

	mif_timestamp(when, sizeof(when));
	if (json)
		print_json(m, when);
	else
		print_text(m, when);
}

int mif_interface_named(const char *text)
{
	if (text[strspn(text, "0123456789")] == 0)
		return (int)strtol(text, NULL, 10);
	return (int)if_nametoindex(text);
}
