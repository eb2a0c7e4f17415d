/* Submodules: what .gitmodules says about the empty folders that source_write left. */
#ifndef BUILDER_SUBMODULE_H
#define BUILDER_SUBMODULE_H

struct environ_list;
struct err;
struct ignore;
struct source;
struct source_budget;
struct source_report;
struct transcript;

struct submodule_job {
	const char *work; /* a directory for repositories and files of our own */
	int root_fd;	  /* the app's root directory */
	const struct ignore *ignore;
	struct source_budget *budget;
	const struct environ_list *env;
	struct transcript *out;
};

/*
 * Fetches every submodule in report->links of `source` (lying at the app's root) and writes it, and
 * theirs. A link that .gitmodules does not know stays empty, with a warning. 0, or a negative
 * errno with a sentence naming the submodule.
 */
int submodule_write_all(const struct submodule_job *job, struct source *source,
			struct source_report *report, struct err *err);

#endif
