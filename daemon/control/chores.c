/* Tokens are never 0 and name one question each; an answer without a question is ignored. */
#include <errno.h>
#include <stdlib.h>

#include "lib/err.h"

#include "daemon/control/chores.h"

struct chore {
	chore_fn *fn;
	void *user;
};

void
chores_init(struct chores *chores, int (*send)(void *user, struct msg *m), void *user)
{
	*chores = (struct chores){.send = send, .user = user};
	map_init(&chores->waiting);
}

void
chores_done(struct chores *chores)
{
	struct chore *chore;

	for (size_t at = 0; (chore = map_next(&chores->waiting, &at)) != NULL;)
		free(chore);
	map_done(&chores->waiting);
}

static uint32_t
begin(struct chores *chores, struct msg *m, enum msg_type type, const char *app, chore_fn *fn,
      void *user)
{
	struct chore *chore = malloc(sizeof(*chore));
	uint32_t token = ++chores->last_token;

	if (chore == NULL)
		return 0;
	if (token == 0)
		token = ++chores->last_token;
	*chore = (struct chore){fn, user};
	if (map_set_id(&chores->waiting, token, chore) < 0) {
		free(chore);
		return 0;
	}
	msg_begin(m, type, 0);
	wire_put_u32(&m->out, token);
	wire_put_str(&m->out, app);
	return token;
}

uint32_t
chores_create_app(struct chores *chores, const char *app, uint32_t run_uid, uint32_t build_uid,
		  chore_fn *fn, void *user)
{
	struct msg m;
	uint32_t token = begin(chores, &m, MSG_APP_CREATE, app, fn, user);

	if (token == 0)
		return 0;
	wire_put_u32(&m.out, run_uid);
	wire_put_u32(&m.out, build_uid);
	(void)chores->send(chores->user, &m);
	return token;
}

uint32_t
chores_remove_app(struct chores *chores, const char *app, chore_fn *fn, void *user)
{
	struct msg m;
	uint32_t token = begin(chores, &m, MSG_APP_REMOVE, app, fn, user);

	if (token != 0)
		(void)chores->send(chores->user, &m);
	return token;
}

uint32_t
chores_remove_slug(struct chores *chores, const char *app, uint32_t slug, chore_fn *fn, void *user)
{
	struct msg m;
	uint32_t token = begin(chores, &m, MSG_SLUG_REMOVE, app, fn, user);

	if (token == 0)
		return 0;
	wire_put_u32(&m.out, slug);
	(void)chores->send(chores->user, &m);
	return token;
}

void
chores_forget(struct chores *chores, uint32_t token)
{
	struct chore *chore = map_find_id(&chores->waiting, token);

	if (chore != NULL)
		chore->fn = NULL;
}

void
chores_hear(struct chores *chores, struct msg *m)
{
	uint32_t token = wire_get_u32(&m->in);
	uint32_t code = wire_get_u32(&m->in);
	struct err why = {0};

	wire_get_str(&m->in, why.text, sizeof(why.text));
	struct chore *chore = map_remove_id(&chores->waiting, token);

	if (chore == NULL)
		return;
	struct chore copy = *chore;

	free(chore);
	if (copy.fn == NULL)
		return;
	if (wire_end(&m->in) < 0 || code > 4095)
		copy.fn(copy.user, err_say(&why, -EIO, "paasd answered nonsense"), &why);
	else
		copy.fn(copy.user, -(int)code, &why);
}
