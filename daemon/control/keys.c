/*
 * Keys are stored as their canonical base64. What a line must hold is checked against the
 * wire format of RFC 4253 6.6, RFC 5656 3.1, RFC 8709 4 and OpenSSH's PROTOCOL.u2f, so that
 * a damaged key is refused when it is added and not when somebody tries to log in.
 */
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <nettle/base64.h>
#include <nettle/sha2.h>

#include "lib/err.h"

#include "daemon/control/keys.h"
#include "daemon/control/query.h"
#include "daemon/control/store.h"
#include "daemon/control/users.h"

#define RSA_MIN_BITS 2048
#define RSA_MAX_BITS 16384
#define RAW_MAX BASE64_DECODE_LENGTH(KEY_BLOB_MAX)

/* ---- the binary form --------------------------------------------------------------------- */

struct raw {
	uint8_t bytes[RAW_MAX];
	size_t len, at;
	bool bad;
};

/* The next length-prefixed string; empty once something was bad. */
static const uint8_t *
raw_string(struct raw *raw, size_t *len)
{
	const uint8_t *p = raw->bytes + raw->at;

	*len = 0;
	if (raw->bad || raw->len - raw->at < 4) {
		raw->bad = true;
		return raw->bytes;
	}
	*len = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
	if (*len > raw->len - raw->at - 4) {
		raw->bad = true;
		*len = 0;
		return raw->bytes;
	}
	raw->at += 4 + *len;
	return p + 4;
}

static bool
raw_string_is(struct raw *raw, const char *text)
{
	size_t len;
	const uint8_t *p = raw_string(raw, &len);

	return !raw->bad && len == strlen(text) && memcmp(p, text, len) == 0;
}

static unsigned
bits_of(const uint8_t *p, size_t len)
{
	unsigned bits;

	while (len > 0 && *p == 0) {
		p++;
		len--;
	}
	if (len == 0 || len > RSA_MAX_BITS)
		return 0;
	bits = (unsigned)(len - 1) * 8;
	for (unsigned top = *p; top; top >>= 1)
		bits++;
	return bits;
}

static int
check_rsa(struct raw *raw, struct err *err)
{
	size_t n_exponent, n_modulus;
	const uint8_t *modulus;
	unsigned bits;

	(void)raw_string(raw, &n_exponent);
	modulus = raw_string(raw, &n_modulus);
	bits = bits_of(modulus, n_modulus);
	if (raw->bad || n_exponent == 0)
		raw->bad = true;
	else if (bits < RSA_MIN_BITS || bits > RSA_MAX_BITS)
		return err_say(err, -EINVAL,
			       "This RSA key has %u bits; %d to %d are accepted. Make an ed25519 "
			       "key with: ssh-keygen -t ed25519",
			       bits, RSA_MIN_BITS, RSA_MAX_BITS);
	return 0;
}

static int
check_ed25519(struct raw *raw, struct err *err)
{
	size_t len;

	(void)err;
	(void)raw_string(raw, &len);
	if (len != 32)
		raw->bad = true;
	return 0;
}

static int
check_ed25519_sk(struct raw *raw, struct err *err)
{
	size_t len;

	(void)check_ed25519(raw, err);
	(void)raw_string(raw, &len); /* application */
	return 0;
}

static int
check_ecdsa(struct raw *raw, struct err *err)
{
	size_t n_curve, n_point;
	const uint8_t *point;

	(void)err;
	(void)raw_string(raw, &n_curve);
	point = raw_string(raw, &n_point);
	/* 4: an uncompressed point of two coordinates */
	if (n_curve != 8 || n_point < 65 || n_point > 133 || point[0] != 4)
		raw->bad = true;
	return 0;
}

static int
check_ecdsa_sk(struct raw *raw, struct err *err)
{
	size_t len;

	(void)check_ecdsa(raw, err);
	(void)raw_string(raw, &len);
	return 0;
}

static const struct kind {
	const char *type;
	int (*check)(struct raw *raw, struct err *err);
} kinds[] = {
	{"ssh-ed25519", check_ed25519},
	{"ssh-rsa", check_rsa},
	{"ecdsa-sha2-nistp256", check_ecdsa},
	{"ecdsa-sha2-nistp384", check_ecdsa},
	{"ecdsa-sha2-nistp521", check_ecdsa},
	{"sk-ssh-ed25519@openssh.com", check_ed25519_sk},
	{"sk-ecdsa-sha2-nistp256@openssh.com", check_ecdsa_sk},
};

static const struct kind *
kind_find(const char *type)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i].type, type) == 0)
			return &kinds[i];
	}
	return NULL;
}

/* Base64, with or without its padding, to bytes. */
static bool
raw_decode(struct raw *raw, const char *text)
{
	struct base64_decode_ctx ctx;
	char padded[KEY_BLOB_MAX + 4];
	size_t n = strlen(text), n_raw = sizeof(raw->bytes);

	raw->at = raw->len = 0;
	raw->bad = false;
	if (n == 0 || n > KEY_BLOB_MAX)
		return false;
	memcpy(padded, text, n);
	while (n % 4 != 0)
		padded[n++] = '=';
	base64_decode_init(&ctx);
	if (!base64_decode_update(&ctx, &n_raw, raw->bytes, n, padded) ||
	    !base64_decode_final(&ctx))
		return false;
	raw->len = n_raw;
	return true;
}

static void
raw_encode(const struct raw *raw, char *out)
{
	base64_encode_raw(out, raw->len, raw->bytes);
	out[BASE64_ENCODE_RAW_LENGTH(raw->len)] = '\0';
}

static void
fingerprint(const struct raw *raw, char *out)
{
	struct sha256_ctx ctx;
	uint8_t digest[SHA256_DIGEST_SIZE];
	size_t n;

	sha256_init(&ctx);
	sha256_update(&ctx, raw->len, raw->bytes);
	sha256_digest(&ctx, sizeof(digest), digest);
	n = (size_t)snprintf(out, KEY_FINGERPRINT_MAX, "SHA256:");
	base64_encode_raw(out + n, sizeof(digest), digest);
	out[n + 43] = '\0'; /* without the one "=", as OpenSSH prints it */
}

/* ---- the text form ----------------------------------------------------------------------- */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Cuts the next word out of *at into `out`; false when it is empty or too long. */
static bool
word(const char **at, char *out, size_t cap)
{
	size_t n = 0;

	while (is_blank(**at))
		(*at)++;
	while ((*at)[n] && !is_blank((*at)[n]))
		n++;
	if (n == 0 || n >= cap)
		return false;
	memcpy(out, *at, n);
	out[n] = '\0';
	*at += n;
	return true;
}

/* The rest of the line, printable only, cut to what fits. */
static void
read_comment(const char *at, char *out, size_t cap)
{
	size_t n = 0;

	while (is_blank(*at))
		at++;
	for (; *at && *at != '\n' && n + 1 < cap; at++) {
		if ((unsigned char)*at >= 0x20 && *at != 0x7f)
			out[n++] = *at;
	}
	while (n > 0 && (out[n - 1] == ' ' || (out[n - 1] & 0xc0) == 0x80))
		n--;
	/* A character of several bytes may have been cut; its first byte goes as well. */
	if (n > 0 && (out[n - 1] & 0xc0) == 0xc0)
		n--;
	out[n] = '\0';
}

static int
refuse_line(const char *line, struct err *err)
{
	if (strstr(line, "PRIVATE KEY"))
		return err_say(err, -EINVAL,
			       "That is a private key. Keep it to yourself and give the file that "
			       "ends in .pub.");
	if (strstr(line, "-cert-v01@openssh.com"))
		return err_say(err, -EINVAL,
			       "That is a certificate; give the plain public key beside it.");
	if (strstr(line, "SSH2 PUBLIC KEY"))
		return err_say(err, -EINVAL,
			       "That key is in the RFC 4716 form; convert it with: ssh-keygen -i "
			       "-f FILE");
	return err_say(err, -EINVAL,
		       "That is no public key. A line like \"ssh-ed25519 AAAA... name\" is "
		       "expected: the content of a file that ends in .pub.");
}

int
key_parse(const char *line, struct key *key, struct err *err)
{
	const struct kind *kind;
	struct raw raw;
	const char *at = line, *newline;
	char blob[KEY_BLOB_MAX + 1];
	int code;

	*key = (struct key){0};
	if (!word(&at, key->type, sizeof(key->type)))
		return refuse_line(line, err);
	kind = kind_find(key->type);
	if (!kind && strcmp(key->type, "ssh-dss") == 0)
		return err_say(err, -EINVAL,
			       "DSA keys are no longer safe. Make an ed25519 key with: ssh-keygen "
			       "-t ed25519");
	if (!kind || !word(&at, blob, sizeof(blob)) || !raw_decode(&raw, blob))
		return refuse_line(line, err);
	newline = strchr(at, '\n');
	while (newline && is_blank(*newline))
		newline++;
	if (newline && *newline)
		return err_say(err, -EINVAL, "There are several lines; add one key at a time.");
	if (!raw_string_is(&raw, kind->type))
		raw.bad = true;
	code = kind->check(&raw, err);
	if (code < 0)
		return code;
	if (raw.bad || raw.at != raw.len)
		return err_say(err, -EINVAL,
			       "The key is damaged: its text is not a whole %s key. Copy it "
			       "again.",
			       kind->type);
	raw_encode(&raw, key->blob);
	fingerprint(&raw, key->fingerprint);
	read_comment(at, key->comment, sizeof(key->comment));
	return 0;
}

/* ---- the store --------------------------------------------------------------------------- */

#define KEY_COLUMNS "k.id, u.name, k.type, k.blob, k.fingerprint, k.comment, k.added_ms"
#define KEY_TABLES " FROM keys k JOIN users u ON u.id = k.user_id "

static void
key_of_row(struct query *q, void *row)
{
	struct key *key = row;

	key->id = query_int(q, 0);
	query_text(q, 1, key->user, sizeof(key->user));
	query_text(q, 2, key->type, sizeof(key->type));
	query_text(q, 3, key->blob, sizeof(key->blob));
	query_text(q, 4, key->fingerprint, sizeof(key->fingerprint));
	query_text(q, 5, key->comment, sizeof(key->comment));
	key->added_ms = query_int(q, 6);
}

/* One row or a sentence. */
static int
find_one(struct query *q, struct key *key, struct err *err)
{
	bool found = false;
	int code;

	if (query_row(q)) {
		key_of_row(q, key);
		found = true;
	}
	code = query_end(q, err);
	if (code == 0 && !found)
		return err_say(err, -ENOENT, "This key is not known here.");
	return code;
}

int
keys_find(struct store *store, const char *type, const char *blob, struct key *key, struct err *err)
{
	struct query q;
	struct raw raw;
	char canonical[KEY_BLOB_MAX + 4];

	if (strncmp(type, "rsa-sha2-", 9) == 0)
		type = "ssh-rsa";
	*key = (struct key){0};
	if (!kind_find(type) || !raw_decode(&raw, blob) || !raw_string_is(&raw, type))
		return err_say(err, -ENOENT, "This key is not known here.");
	raw_encode(&raw, canonical);
	query_begin(&q, store, "SELECT " KEY_COLUMNS KEY_TABLES "WHERE k.blob = ?1");
	query_put_text(&q, 1, canonical);
	return find_one(&q, key, err);
}

int
keys_list(struct store *store, struct key **keys, size_t *n, struct err *err)
{
	struct query q;
	int code;

	query_begin(&q, store, "SELECT " KEY_COLUMNS KEY_TABLES "ORDER BY u.name, k.id");
	*keys = query_list(&q, sizeof(**keys), key_of_row, n, &code, err);
	return code;
}

/* Makes the user, or raises or lowers the one there is when a right was named. */
static int
settle_user(struct store *store, const char *name, enum right right, int64_t app_id,
	    struct user *user, struct err *err)
{
	size_t n_users;
	int code;

	code = users_count(store, RIGHT_NONE, &n_users, err);
	if (code < 0)
		return code;
	code = users_find(store, name, user, err);
	if (code == -ENOENT) {
		enum right global = right == RIGHT_NONE ? RIGHT_DEPLOY : right;

		if (app_id)
			global = RIGHT_NONE;
		else if (n_users == 0 && right == RIGHT_NONE)
			global = RIGHT_ADMIN;
		code = users_put(store, name, global, err);
		if (app_id && right == RIGHT_NONE)
			right = RIGHT_DEPLOY;
	} else if (code == 0 && right != RIGHT_NONE && !app_id) {
		code = users_put(store, name, right, err);
	}
	if (code == 0 && app_id && right != RIGHT_NONE)
		code = access_put(store, app_id, name, right, err);
	if (code == 0)
		code = users_find(store, name, user, err);
	return code;
}

static int
check_new(struct store *store, const struct key *key, struct err *err)
{
	struct key there;
	struct err ignored;
	int code = keys_find(store, key->type, key->blob, &there, &ignored);

	if (code == -ENOENT)
		return 0;
	if (code == 0)
		return err_say(err, -EEXIST, "This key is already %s's.", there.user);
	*err = ignored;
	return code;
}

static int
insert_key(struct store *store, const struct user *user, struct key *key, struct err *err)
{
	struct query q;

	(void)snprintf(key->user, sizeof(key->user), "%s", user->name);
	key->added_ms = store_now_ms(store);
	query_begin(&q, store,
		    "INSERT INTO keys (user_id, type, blob, fingerprint, comment, added_ms)"
		    " VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING id");
	query_put_int(&q, 1, user->id);
	query_put_text(&q, 2, key->type);
	query_put_text(&q, 3, key->blob);
	query_put_text(&q, 4, key->fingerprint);
	query_put_text(&q, 5, key->comment);
	query_put_int(&q, 6, key->added_ms);
	if (query_row(&q))
		key->id = query_int(&q, 0);
	return query_run(&q, err);
}

int
keys_add(struct store *store, const char *user, const char *line, enum right right, int64_t app_id,
	 struct key *key, struct err *err)
{
	struct user owner;
	int code;

	code = key_parse(line, key, err);
	if (code < 0)
		return code;
	code = store_begin(store, err);
	if (code < 0)
		return code;
	code = check_new(store, key, err);
	if (code == 0)
		code = settle_user(store, user, right, app_id, &owner, err);
	if (code == 0)
		code = insert_key(store, &owner, key, err);
	return query_finish(store, code, err);
}

static int
count_keys(struct store *store, int64_t user_id, size_t *n, struct err *err)
{
	struct query q;

	*n = 0;
	query_begin(&q, store, "SELECT count(*) FROM keys WHERE user_id = ?1");
	query_put_int(&q, 1, user_id);
	if (query_row(&q))
		*n = (size_t)query_int(&q, 0);
	return query_end(&q, err);
}

/* The user, keys and access, by cascade. */
static int
remove_user(struct store *store, const struct user *user, int force, struct err *err)
{
	struct query q;
	size_t n_admins;
	int code;

	if (user->right == RIGHT_ADMIN && !force) {
		code = users_count(store, RIGHT_ADMIN, &n_admins, err);
		if (code < 0)
			return code;
		if (n_admins == 1)
			return err_say(err, -EINVAL,
				       "%s is the only admin, and this is the only key left; add "
				       "another admin first.",
				       user->name);
	}
	query_begin(&q, store, "DELETE FROM users WHERE id = ?1");
	query_put_int(&q, 1, user->id);
	return query_run(&q, err);
}

static int
remove_key(struct store *store, const struct key *key, int force, struct err *err)
{
	struct query q;
	struct user user;
	size_t n_keys;
	int code;

	code = users_find(store, key->user, &user, err);
	if (code == 0)
		code = count_keys(store, user.id, &n_keys, err);
	if (code != 0)
		return code;
	if (n_keys == 1)
		return remove_user(store, &user, force, err);
	query_begin(&q, store, "DELETE FROM keys WHERE id = ?1");
	query_put_int(&q, 1, key->id);
	return query_run(&q, err);
}

static int
remove_either(struct store *store, const char *which, int force, size_t *n_removed, struct err *err)
{
	struct query q;
	struct key key;
	struct user user;
	int code;

	query_begin(&q, store, "SELECT " KEY_COLUMNS KEY_TABLES "WHERE k.fingerprint = ?1");
	query_put_text(&q, 1, which);
	code = find_one(&q, &key, err);
	if (code == 0) {
		*n_removed = 1;
		return remove_key(store, &key, force, err);
	}
	if (code != -ENOENT)
		return code;
	code = users_find(store, which, &user, err);
	if (code == -ENOENT)
		return err_say(err, -ENOENT,
			       "There is no key and no user %.64s. Keys are named by their "
			       "fingerprint (SHA256:...), users by their name.",
			       which);
	if (code == 0)
		code = count_keys(store, user.id, n_removed, err);
	if (code == 0)
		code = remove_user(store, &user, force, err);
	return code;
}

int
keys_remove(struct store *store, const char *fingerprint_or_user, int force, size_t *n_removed,
	    struct err *err)
{
	int code;

	*n_removed = 0;
	code = store_begin(store, err);
	if (code < 0)
		return code;
	code = remove_either(store, fingerprint_or_user, force, n_removed, err);
	return query_finish(store, code, err);
}
