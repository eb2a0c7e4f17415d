/*
 * The sentence for a stranger must come after the last key, and the server is never told which key
 * is the last. So keyboard-interactive is offered beside publickey: clients turn to it when they
 * are out of keys, and get a banner with the sentence and a refusal instead of a question. The same
 * happens for a user name nobody knows, since only control looks at names and keys.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "lib/err.h"
#include "lib/msg.h"

#include "daemon/receiver/auth.h"

#define OFFERS_MAX 20
#define ANSWER_MS 10000

static const char no_control[] =
	"paas: the platform is starting or restarting; try again in a moment";
static const char too_many[] = "paas: too many keys were tried; name the right one with: ssh -o "
			       "IdentitiesOnly=yes -i FILE";

/* One question and its answer. 1 accepted, 0 refused, negative: control does not answer. */
static int
ask(struct auth *auth, enum msg_type type, const char *user, const char *key_type, const char *key)
{
	static struct msg m;
	struct pollfd fd = {.fd = auth->control_fd, .events = POLLIN};
	char person[sizeof(auth->person)];
	uint8_t accepted;
	int ret;

	msg_begin(&m, type, 0);
	wire_put_str(&m.out, user);
	wire_put_str(&m.out, key_type);
	wire_put_str(&m.out, key);
	ret = msg_send(auth->control_fd, &m);
	/* A name or key that does not fit a message is nobody's. */
	if (ret == -EMSGSIZE)
		return 0;
	if (ret < 0)
		return ret;
	do {
		ret = poll(&fd, 1, ANSWER_MS);
	} while (ret < 0 && errno == EINTR);
	if (ret <= 0)
		return ret < 0 ? -errno : -ETIMEDOUT;
	ret = msg_receive(auth->control_fd, &m);
	if (ret <= 0)
		return ret < 0 ? ret : -EPIPE;
	accepted = wire_get_u8(&m.in);
	wire_get_str(&m.in, person, sizeof(person));
	ret = m.type == MSG_LOGIN_ANSWER && wire_end(&m.in) == 0 ? accepted != 0 : -EBADMSG;
	msg_done(&m);
	if (ret == 1)
		memcpy(auth->person, person, sizeof(person));
	return ret;
}

static void
remember(struct auth *auth, ssh_key key)
{
	unsigned char *hash = NULL;
	char *text = NULL;
	size_t n = 0;

	auth->n_offered++;
	if (ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &n) == 0)
		text = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, n);
	(void)snprintf(auth->fingerprint, sizeof(auth->fingerprint), "%s", text ? text : "");
	ssh_string_free_char(text);
	ssh_clean_pubkey_hash(&hash);
}

static int
on_public_key(ssh_session ssh, const char *user, struct ssh_key_struct *key, char state,
	      void *userdata)
{
	struct auth *auth = userdata;
	bool is_proved = state == SSH_PUBLICKEY_STATE_VALID;
	const char *type = ssh_key_type_to_char(ssh_key_type(key));
	char *text = NULL;
	int ret;

	(void)ssh;
	if (auth->give_up || auth->is_done || (!is_proved && state != SSH_PUBLICKEY_STATE_NONE))
		return SSH_AUTH_DENIED;
	if (!is_proved) {
		remember(auth, key);
		if (auth->n_offered > OFFERS_MAX) {
			auth->give_up = too_many;
			return SSH_AUTH_DENIED;
		}
	}
	/* A certificate vouches for its holder in somebody else's name. */
	if (!type || strstr(type, "-cert-") || ssh_pki_export_pubkey_base64(key, &text) != SSH_OK)
		return SSH_AUTH_DENIED;
	ret = ask(auth, is_proved ? MSG_LOGIN_PROVED : MSG_LOGIN_KEY, user, type, text);
	ssh_string_free_char(text);
	if (ret < 0)
		auth->give_up = no_control;
	else if (ret == 1 && is_proved)
		auth->is_done = true;
	return ret == 1 ? SSH_AUTH_SUCCESS : SSH_AUTH_DENIED;
}

static ssh_channel
on_open(ssh_session ssh, void *userdata)
{
	struct auth *auth = userdata;

	return auth->is_done ? auth->open_channel(ssh, auth->user) : NULL;
}

/* Something was wrong with every key. OpenSSH prints a banner as it is. */
static void
tell(struct auth *auth)
{
	char text[400];
	ssh_string banner;

	if (auth->was_told)
		return;
	auth->was_told = true;
	if (auth->n_offered == 0)
		(void)snprintf(
			text, sizeof(text),
			"paas: your ssh offered no key; make one with ssh-keygen and ask the "
			"admin to run: paas keys add NAME KEY.pub\r\n");
	else if (auth->n_offered == 1)
		(void)snprintf(
			text, sizeof(text),
			"paas: this key is not known here; ask the admin to run: paas keys add "
			"NAME KEY.pub\r\npaas: (the key is %s, and the user name is paas)\r\n",
			auth->fingerprint);
	else
		(void)snprintf(
			text, sizeof(text),
			"paas: none of your %u keys is known here; ask the admin to run: paas "
			"keys add NAME KEY.pub\r\npaas: (the last key was %s, and the user "
			"name is paas)\r\n",
			auth->n_offered, auth->fingerprint);
	banner = ssh_string_from_char(text);
	if (banner)
		(void)ssh_send_issue_banner(auth->ssh, banner);
	ssh_string_free(banner);
}

bool
auth_message(struct auth *auth, ssh_message message)
{
	if (ssh_message_type(message) != SSH_REQUEST_AUTH)
		return false;
	if (ssh_message_subtype(message) != SSH_AUTH_METHOD_INTERACTIVE &&
	    ssh_message_subtype(message) != SSH_AUTH_METHOD_PASSWORD)
		return false;
	tell(auth);
	ssh_set_auth_methods(auth->ssh, SSH_AUTH_METHOD_PUBLICKEY);
	return true;
}

void
auth_init(struct auth *auth, ssh_session ssh, int control_fd,
	  ssh_channel_open_request_session_callback open_channel, void *user)
{
	memset(auth, 0, sizeof(*auth));
	auth->ssh = ssh;
	auth->control_fd = control_fd;
	ssh_callbacks_init(&auth->callbacks);
	auth->open_channel = open_channel;
	auth->user = user;
	auth->callbacks.userdata = auth;
	auth->callbacks.auth_pubkey_function = on_public_key;
	auth->callbacks.channel_open_request_session_function = on_open;
	(void)ssh_set_server_callbacks(ssh, &auth->callbacks);
	ssh_set_auth_methods(ssh, SSH_AUTH_METHOD_PUBLICKEY | SSH_AUTH_METHOD_INTERACTIVE);
}
