/* One order in, a few reports out, on a blocking socket. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/msg.h"

#include "builder/job.h"
#include "builder/types.h"

static int
read_order(struct msg *m, struct job *job, struct err *err)
{
	wire_get_str(&m->in, job->commit, sizeof(job->commit));
	wire_get_str(&m->in, job->quarantine, sizeof(job->quarantine));
	job->slug_max_bytes = wire_get_u64(&m->in);
	job->disk_bytes = wire_get_u64(&m->in);
	job->n_packs = wire_get_u16(&m->in);
	if (job->n_packs > JOB_MAX_PACKS)
		return err_say(err, -EBADMSG, "A build can have at most %d buildpacks.",
			       JOB_MAX_PACKS);
	for (size_t i = 0; i < job->n_packs; i++)
		wire_get_str(&m->in, job->packs[i], sizeof(job->packs[i]));
	if (wire_end(&m->in) < 0)
		return err_say(err, -EBADMSG, "The build order cannot be read.");
	if (strchr(job->quarantine, '/') || job->quarantine[0] == '.')
		return err_say(err, -EBADMSG, "The quarantine \"%s\" is no directory's name.",
			       job->quarantine);
	return 0;
}

int
job_receive(int fd, struct job *job, struct err *err)
{
	struct msg m;
	int config_fd;
	int ret;

	*job = (struct job){.slug_fd = -1};
	ret = msg_receive(fd, &m);
	if (ret == 0)
		return err_say(err, -EPIPE, "Nobody gave a build order.");
	if (ret < 0)
		return err_set(err, ret, "receive the build order");
	ret = msg_check(m.type, ROLE_CONTROL, ROLE_BUILD, PHASE_ANY, m.n_fds, err);
	if (ret == 0)
		ret = read_order(&m, job, err);
	if (ret == 0) {
		job->slug_fd = msg_take_fd(&m, 0);
		config_fd = msg_take_fd(&m, 1);
		ret = spec_read(config_fd, &job->config);
		(void)close(config_fd);
		if (ret < 0)
			(void)err_set(err, ret, "read the config vars");
	}
	msg_done(&m);
	return ret;
}

void
job_done(struct job *job)
{
	if (job->slug_fd >= 0)
		(void)close(job->slug_fd);
	job->slug_fd = -1;
	spec_done(&job->config);
}

int
job_send_pack(int fd, const char *spec, const char *name)
{
	struct msg m;

	msg_begin(&m, MSG_BUILD_PACK, 0);
	wire_put_str(&m.out, spec);
	wire_put_str(&m.out, name);
	return msg_send(fd, &m);
}

int
job_send_types(int fd, const struct types *types)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < types->n; i++) {
		struct msg m;

		msg_begin(&m, MSG_BUILD_TYPE, 0);
		wire_put_str(&m.out, types->items[i].name);
		wire_put_str(&m.out, types->items[i].command);
		ret = msg_send(fd, &m);
	}
	return ret;
}

int
job_send_done(int fd, const char *sha256, uint64_t bytes, bool has_profile)
{
	struct msg m;

	msg_begin(&m, MSG_BUILD_DONE, 0);
	wire_put_str(&m.out, sha256);
	wire_put_u64(&m.out, bytes);
	wire_put_u8(&m.out, has_profile);
	return msg_send(fd, &m);
}

int
job_send_failed(int fd, const char *why)
{
	struct msg m;

	msg_begin(&m, MSG_BUILD_FAILED, 0);
	wire_put_str(&m.out, why);
	return msg_send(fd, &m);
}
