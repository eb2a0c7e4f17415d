#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "lib/http.h"

#include "router/errors.h"

static const struct error_row {
	const char *code;
	int status;
	const char *text;
	const char *title;
	const char *meaning;
} rows[ERROR_COUNT] = {
	[ERROR_NONE] = {"", 500, "", "Error", ""},
	[ERROR_BAD_REQUEST] = {"", 400, "Bad request", "Bad request",
			       "The request is not valid HTTP/1.1, so it was not passed on."},
	[ERROR_URI_TOO_LONG] = {"", 414, "URI too long", "Address too long",
				"The request line may have at most 8192 bytes."},
	[ERROR_HEAD_TOO_LARGE] = {"", 431, "Request headers too large", "Headers too large",
				  "A header line may have at most 8192 bytes; all of them together "
				  "65536 bytes and 100 lines."},
	[ERROR_HEAD_TIMEOUT] = {"", 408, "Request head timeout", "Request timeout",
				"The request did not arrive in time."},
	[ERROR_NOT_IMPLEMENTED] = {"", 501, "Not implemented", "Not implemented",
				   "This method or transfer coding is not supported here."},
	[ERROR_VERSION] = {"", 505, "HTTP version not supported", "HTTP version not supported",
			   "HTTP/1.1 and HTTP/1.0 are spoken here."},
	[ERROR_NO_APP] = {"", 404, "No such app", "No such app",
			  "There is no app for this host name."},
	[ERROR_CRASHED] = {"H10", 503, "App crashed", "App crashed",
			   "Every web process of this app has crashed. If you own it, its logs say "
			   "why."},
	[ERROR_TIMEOUT] = {"H12", 503, "Request timeout", "Request timeout",
			   "The app did not begin to answer in time."},
	[ERROR_NO_RESPONSE] = {"H13", 503, "Connection closed without response",
			       "Connection closed without response",
			       "The app closed the connection without an answer."},
	[ERROR_NO_WEB] = {"H14", 503, "No web processes running", "No web processes running",
			  "This app is scaled to zero web processes."},
	[ERROR_IDLE] = {"H15", 503, "Idle connection", "Idle connection",
			"Nothing moved on this connection for too long."},
	[ERROR_BAD_RESPONSE] = {"H17", 502, "Poorly formatted HTTP response",
				"Poorly formatted response",
				"What the app answered is not valid HTTP."},
	[ERROR_INTERRUPTED] = {"H18", 503, "Server Request Interrupted", "Response interrupted",
			       "The app ended the connection in the middle of its answer."},
	[ERROR_CONNECT_TIMEOUT] = {"H19", 503, "Backend connection timeout",
				   "Backend connection timeout",
				   "The app did not accept the connection in time."},
	[ERROR_BOOTING] = {"H20", 503, "App boot timeout", "App is starting",
			   "The web processes of this app are not up yet. Try again in a moment."},
	[ERROR_REFUSED] = {"H21", 503, "Backend connection refused", "Backend connection refused",
			   "The app refused the connection."},
	[ERROR_CONNECTION_LIMIT] = {"H22", 503, "Connection limit reached",
				    "Connection limit reached",
				    "Too many connections are open. Try again in a moment."},
	[ERROR_CLIENT_GONE] = {"H27", 499, "Client Request Interrupted",
			       "Client request interrupted",
			       "The client went away before the answer."},
	[ERROR_CLIENT_IDLE] = {"H28", 408, "Client Connection Idle", "Client connection idle",
			       "The client did not send the rest of its request in time."},
	[ERROR_BLANK] = {"H81", 502, "Blank app", "Nothing here yet",
			 "This app exists, but nothing was deployed to it. Push to it: git push "
			 "platform master"},
	[ERROR_PLATFORM] = {"H99", 503, "Platform error", "Platform error",
			    "The router is short of memory or connections. Try again in a moment."},
};

static const char page[] =
	"<!DOCTYPE html>\n"
	"<html lang=\"en\">\n"
	"<head>\n"
	"<meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	"<title>%s</title>\n"
	"<style>\n"
	"body{font:1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:20vh auto 0;"
	"padding:0 1.5rem;color:#222;background:#fff}\n"
	"h1{font-size:1.5rem;margin:0 0 .5rem}p{margin:0 0 1rem}"
	"small{color:#666}\n"
	"@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}"
	"small{color:#999}}\n"
	"</style>\n"
	"</head>\n"
	"<body>\n"
	"<h1>%s</h1>\n"
	"<p>%s</p>\n"
	"<p><small>%d %s%s%s</small></p>\n"
	"</body>\n"
	"</html>\n";

static const struct error_row *
row_of(enum error error)
{
	assert(error < ERROR_COUNT);
	return &rows[error];
}

const char *
error_code(enum error error)
{
	return row_of(error)->code;
}

const char *
error_text(enum error error)
{
	return row_of(error)->text;
}

int
error_status(enum error error)
{
	return row_of(error)->status;
}

enum error
error_of_status(int status)
{
	switch (status) {
	case 414:
		return ERROR_URI_TOO_LONG;
	case 431:
		return ERROR_HEAD_TOO_LARGE;
	case 501:
		return ERROR_NOT_IMPLEMENTED;
	case 505:
		return ERROR_VERSION;
	default:
		return ERROR_BAD_REQUEST;
	}
}

/* The media type of one member of Accept, without its parameters. */
static bool
is_html_type(struct http_text member)
{
	const char *semicolon = memchr(member.at, ';', member.len);

	if (semicolon)
		member.len = (size_t)(semicolon - member.at);
	while (member.len > 0 &&
	       (member.at[member.len - 1] == ' ' || member.at[member.len - 1] == '\t'))
		member.len--;
	return http_text_is_nocase(member, "text/html") ||
	       http_text_is_nocase(member, "application/xhtml+xml");
}

bool
error_wants_html(const struct http_head *h)
{
	const struct http_header *accept = http_find(h, "accept");
	struct http_text list, member;

	if (!accept)
		return false;
	list = accept->value;
	while (http_list_next(&list, &member))
		if (is_html_type(member))
			return true;
	return false;
}

size_t
error_response(char *out, enum error error, bool html, bool to_head, bool keep_alive,
	       size_t *n_body)
{
	const struct error_row *row = row_of(error);
	const char *space = row->code[0] ? " &middot; " : "";
	char body[ERROR_RESPONSE_MAX / 2];
	int n, n_head;

	if (html)
		n = snprintf(body, sizeof(body), page, row->title, row->title, row->meaning,
			     row->status, http_reason(row->status), space, row->code);
	else
		n = snprintf(body, sizeof(body), "%d %s%s%s: %s\n", row->status, row->title,
			     row->code[0] ? " " : "", row->code, row->meaning);
	assert(n > 0 && (size_t)n < sizeof(body));
	n_head = snprintf(out, ERROR_RESPONSE_MAX,
			  "HTTP/1.1 %d %s\r\n"
			  "Content-Type: text/%s; charset=utf-8\r\n"
			  "Content-Length: %d\r\n"
			  "Cache-Control: no-store\r\n"
			  "%s"
			  "Via: 1.1 paas\r\n"
			  "\r\n",
			  row->status, http_reason(row->status), html ? "html" : "plain", n,
			  keep_alive ? "" : "Connection: close\r\n");
	assert(n_head > 0 && n_head + n < ERROR_RESPONSE_MAX);
	*n_body = to_head ? 0 : (size_t)n;
	memcpy(out + n_head, body, *n_body);
	return (size_t)n_head + *n_body;
}
