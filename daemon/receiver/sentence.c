/*
 * What an app's build or a stranger's ref name holds reaches a terminal, so it must not be able to
 * rename its window, answer for it or paint over what the platform said.
 */
#include <stdbool.h>
#include <string.h>

#include "daemon/receiver/sentence.h"

/* A string (OSC, DCS) that never ends must not swallow the rest of a transcript. */
#define SEQUENCE_MAX 4096

enum state {
	TEXT,
	C2,	    /* a lead byte whose character may be an 8-bit control */
	ESCAPE,	    /* behind ESC */
	PARAMETERS, /* of CSI, up to the final byte */
	STRING,	    /* of OSC, DCS and their like, up to BEL or ST */
	STRING_ESC, /* ESC inside a string */
	STRING_C2,  /* C2 inside a string: ST is U+009C */
};

const char *
sentence_quote(const char *text, size_t n, char *out, size_t cap)
{
	size_t fits = n < cap ? n : cap - 4;

	for (size_t i = 0; i < fits; i++)
		out[i] = text[i] >= ' ' && text[i] < 0x7f ? text[i] : '?';
	out[fits] = '\0';
	if (fits < n)
		memcpy(out + fits, "...", 4);
	return out;
}

void
sentence_filter_init(struct sentence_filter *f)
{
	memset(f, 0, sizeof(*f));
}

/* Behind ESC, or an 8-bit control written as its 7-bit partner (U+009B is ESC [). */
static enum state
after_escape(uint8_t c)
{
	switch (c) {
	case '[':
		return PARAMETERS;
	case ']':
	case 'P':
	case 'X':
	case '^':
	case '_':
		return STRING;
	default:
		break;
	}
	/* Intermediate bytes: a final one is still to come. */
	return c >= 0x20 && c < 0x30 ? ESCAPE : TEXT;
}

/* How many continuation bytes follow a lead byte; 0: this is none (C0, C1, F5.. never are). */
static uint8_t
utf8_more(uint8_t c)
{
	if (c >= 0xc2 && c <= 0xdf)
		return 1;
	if (c >= 0xe0 && c <= 0xef)
		return 2;
	return c >= 0xf0 && c <= 0xf4 ? 3 : 0;
}

/* Plain text: true when `c` is to be written. */
static bool
take_text(struct sentence_filter *f, uint8_t c)
{
	if (f->more > 0 && c >= 0x80 && c < 0xc0) {
		f->more--;
		return true;
	}
	f->more = 0;
	if (c == 0x1b) {
		f->state = ESCAPE;
		f->n_swallowed = 0;
		return false;
	}
	if (c == 0xc2) {
		f->state = C2;
		return false;
	}
	if (c >= 0x80) {
		f->more = utf8_more(c);
		return f->more > 0;
	}
	return (c >= ' ' && c < 0x7f) || c == '\n' || c == '\r' || c == '\t';
}

/* Inside a sequence: nothing is written. */
static void
take_sequence(struct sentence_filter *f, uint8_t c)
{
	if (++f->n_swallowed > SEQUENCE_MAX || c == 0x18 || c == 0x1a) { /* CAN and SUB abort one */
		f->state = TEXT;
		return;
	}
	switch ((enum state)f->state) {
	case ESCAPE:
		f->state = c == 0x1b ? ESCAPE : (uint8_t)after_escape(c);
		break;
	case PARAMETERS:
		if (c == 0x1b)
			f->state = ESCAPE;
		else if (c >= 0x40 && c < 0x7f)
			f->state = TEXT;
		break;
	case STRING_C2:
		f->state = c == 0x9c ? TEXT : STRING;
		break;
	case STRING_ESC:
		f->state = c == '\\' ? TEXT : (uint8_t)after_escape(c);
		break;
	case STRING:
		if (c == 0x07)
			f->state = TEXT;
		else if (c == 0x1b)
			f->state = STRING_ESC;
		else if (c == 0xc2)
			f->state = STRING_C2;
		break;
	case TEXT:
	case C2:
		break;
	}
}

size_t
sentence_filter(struct sentence_filter *f, const void *in, size_t n, void *out)
{
	const uint8_t *from = in;
	uint8_t *to = out;
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		uint8_t c = from[i];

		if (f->state == C2) {
			f->state = TEXT;
			if (c >= 0x80 && c < 0xa0) {
				f->n_swallowed = 0;
				f->state = (uint8_t)after_escape((uint8_t)(c - 0x40));
				continue;
			}
			if (c >= 0xa0 && c < 0xc0) {
				to[len++] = 0xc2;
				to[len++] = c;
				continue;
			}
		}
		if (f->state != TEXT)
			take_sequence(f, c);
		else if (take_text(f, c))
			to[len++] = c;
	}
	return len;
}
