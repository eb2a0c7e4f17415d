/* What was built, when, by whom, and how it ended. */
#ifndef CONTROL_BUILDS_H
#define CONTROL_BUILDS_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/control/apps.h"

struct err;
struct store;

enum build_status {
	BUILD_ROW_PENDING,
	BUILD_ROW_SUCCEEDED,
	BUILD_ROW_FAILED,
};

struct build_row {
	int64_t app_id;
	uint32_t number;
	enum build_status status;
	char user[USER_NAME_MAX + 1];
	char commit[65];
	char failure[480]; /* the sentence; "" */
	uint32_t release;  /* the version it became; 0 */
	int64_t started_ms, ended_ms;
};

int builds_start(struct store *store, int64_t app_id, const char *commit, const char *user,
		 uint32_t *number, struct err *err);
/* `failure` NULL: it succeeded and became `release`. */
int builds_end(struct store *store, int64_t app_id, uint32_t number, uint32_t release,
	       const char *failure, struct err *err);
/* At start of control: whatever is pending was interrupted. */
int builds_fail_pending(struct store *store, const char *failure, struct err *err);
/* The newest `max`, newest first. */
int builds_list(struct store *store, int64_t app_id, size_t max, struct build_row **builds,
		size_t *n, struct err *err);
const char *build_status_name(enum build_status status);

#endif
