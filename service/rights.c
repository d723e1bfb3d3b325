/* SPDX-License-Identifier: MIT */
#include <stdbool.h>

#include "service/rights.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/log.h"

static bool become(const char *user)
{
	const struct passwd *p;

	if (geteuid() != 0 || strcmp(user, "root") == 0)
		return true;
	p = getpwnam(user);
	if (!p) {
		log_error("there is no user %s", user);
		return false;
	}
	if (setgroups(0, NULL) == 0 && setresgid(p->pw_gid, p->pw_gid, p->pw_gid) == 0 &&
	    setresuid(p->pw_uid, p->pw_uid, p->pw_uid) == 0)
		return true;
	/* In a user namespace of one user root is nobody else either. */
	if (errno == EINVAL || errno == EPERM) {
		log_info("root here is an ordinary user, and stays one");
		return true;
	}
	log_error("cannot become user %s: %s", user, strerror(errno));
	return false;
}

bool rights_drop(const char *user)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0}};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	for (int c = 0; c <= 63 && prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++)
		prctl(PR_CAPBSET_DROP, c, 0, 0, 0); /* fails without CAP_SETPCAP: nothing to lose */
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (!become(user))
		return false;
	if (syscall(SYS_capset, &head, none) < 0) {
		log_error("cannot give up capabilities: %s", strerror(errno));
		return false;
	}
	return true;
}
