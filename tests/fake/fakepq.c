/* SPDX-License-Identifier: PostgreSQL */
#include "fakepq.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libpq-fe.h>

#define MAX_RULES    96
#define MAX_ITEMS    32
#define MAX_QUEUE    512
#define MAX_SENT     4096
#define MAX_ATTEMPTS 16
#define MAX_SETTINGS 64

enum item_kind {
	ITEM_RESULT,
	ITEM_NOTICE,
	ITEM_NOTIFY,
	ITEM_COPY_DATA,
	ITEM_COPY_DONE,
	ITEM_STALL,
	ITEM_LOSE,
	ITEM_READY,
};

/*
 * Both what a rule says and what is under way on a connection. Texts of a rule live
 * until the reset.
 */
struct pg_result {
	ExecStatusType status;
	char *tag;
	int n_fields;
	int n_rows;
	char **values;
	char *severity;
	char *sqlstate;
	char *message;
	char *position;
	char *detail;
	char *hint;
	char *context;
	char *first_column; /* its name; NULL: no matter */
};

struct item {
	enum item_kind kind;
	PGresult *result;
};

struct fakepq_rule {
	char *pattern;
	bool once;
	bool used;
	struct item items[MAX_ITEMS];
	size_t n_items;
};

struct attempt {
	char *polls;
	char *message;
};

struct pg_conn {
	int fd;
	int peer;
	struct attempt attempt;
	size_t n_polls;
	ConnStatusType status;
	char error[512];
	PGTransactionStatusType transaction;
	PGTransactionStatusType transaction_after;
	struct item queue[MAX_QUEUE];
	size_t head;
	size_t arrived; /* items from head on that were read from the socket */
	size_t n_queue;
	bool active;
	bool single_row;
	bool in_copy_in;
	bool on_wire; /* a byte is to be read */
	unsigned slow;
	PQnoticeReceiver receiver;
	void *receiver_arg;
};

struct pg_cancel {
	PGconn *conn;
};

static struct {
	pthread_mutex_t mutex;
	struct fakepq_rule rules[MAX_RULES];
	size_t n_rules;
	struct attempt attempts[MAX_ATTEMPTS];
	size_t n_attempts;
	size_t next_attempt;
	char *sent[MAX_SENT];
	size_t n_sent;
	char *keywords[MAX_SETTINGS];
	char *values[MAX_SETTINGS];
	size_t n_settings;
	PGconn *newest;
	unsigned slow;
	int pid;
	unsigned n_cancels;
	unsigned n_calls;
	unsigned fail_at;
	unsigned lose_at;
	size_t error_at;
	char error_sqlstate[6];
	size_t n_committed;
	fakepq_watch_fn *watch;
	char copied[4096];
	int live;
} fake = { .mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP };

/* ---- helpers ---- */

static void
stop_test(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)fputs("fakepq: ", stderr);
	(void)vfprintf(stderr, fmt, ap);
	(void)fputc('\n', stderr);
	va_end(ap);
	abort();
}

static char *
copy(const char *s)
{
	return s ? strdup(s) : NULL;
}

/* The server is gone. What is on the wire can still be read. */
static void
close_peer(PGconn *conn)
{
	if (conn->peer >= 0)
		(void)close(conn->peer);
	conn->peer = -1;
}

/* Count a call that can fail. True: this one does. */
static bool
fails(void)
{
	if (++fake.n_calls == fake.lose_at && fake.newest)
		close_peer(fake.newest);
	return fake.n_calls == fake.fail_at;
}

static void
lock(void)
{
	(void)pthread_mutex_lock(&fake.mutex);
}

static void
unlock(void)
{
	(void)pthread_mutex_unlock(&fake.mutex);
}

static PGresult *
new_result(ExecStatusType status)
{
	PGresult *result = calloc(1, sizeof(*result));

	result->status = status;
	fake.live++;
	return result;
}

static PGresult *
new_error(const char *severity, const char *sqlstate, const char *message)
{
	PGresult *result = new_result(PGRES_FATAL_ERROR);

	result->severity = copy(severity);
	result->sqlstate = copy(sqlstate);
	result->message = copy(message);
	return result;
}

static PGresult *
new_rows(ExecStatusType status, int n_fields, int n_rows, char *const *values)
{
	PGresult *result = new_result(status);
	size_t n = (size_t)n_fields * (size_t)n_rows;
	char tag[32];

	(void)snprintf(tag, sizeof(tag), "SELECT %d", n_rows);
	result->tag = copy(tag);
	result->n_fields = n_fields;
	result->n_rows = n_rows;
	result->values = calloc(n + 1, sizeof(*result->values));
	for (size_t i = 0; i < n; i++)
		result->values[i] = copy(values[i]);
	return result;
}

void
PQclear(PGresult *result)
{
	if (!result)
		return;
	for (int i = 0; i < result->n_fields * result->n_rows; i++)
		free(result->values[i]);
	free(result->values);
	free(result->tag);
	free(result->severity);
	free(result->sqlstate);
	free(result->message);
	free(result->position);
	free(result->detail);
	free(result->hint);
	free(result->context);
	free(result->first_column);
	free(result);
	lock();
	fake.live--;
	unlock();
}

static PGresult *
copy_result(const PGresult *from)
{
	PGresult *result = from->values
	    ? new_rows(from->status, from->n_fields, from->n_rows, from->values)
	    : new_result(from->status);

	if (!from->values)
		result->tag = copy(from->tag);
	result->severity = copy(from->severity);
	result->sqlstate = copy(from->sqlstate);
	result->message = copy(from->message);
	result->position = copy(from->position);
	result->detail = copy(from->detail);
	result->hint = copy(from->hint);
	result->context = copy(from->context);
	result->first_column = copy(from->first_column);
	return result;
}

/* ---- what the test says ---- */

void
fakepq_reset(void)
{
	lock();
	for (size_t i = 0; i < fake.n_rules; i++) {
		struct fakepq_rule *rule = &fake.rules[i];

		for (size_t k = 0; k < rule->n_items; k++)
			PQclear(rule->items[k].result);
		free(rule->pattern);
		*rule = (struct fakepq_rule){ 0 };
	}
	for (size_t i = 0; i < fake.n_attempts; i++) {
		free(fake.attempts[i].polls);
		free(fake.attempts[i].message);
	}
	fakepq_forget_sent();
	for (size_t i = 0; i < fake.n_settings; i++) {
		free(fake.keywords[i]);
		free(fake.values[i]);
	}
	if (fake.live != 0)
		stop_test("%d objects alive at the reset", fake.live);
	fake.n_rules = fake.n_attempts = fake.next_attempt = 0;
	fake.n_settings = 0;
	fake.newest = NULL;
	fake.slow = fake.n_calls = fake.fail_at = fake.n_cancels = 0;
	fake.lose_at = 0;
	fake.error_at = fake.n_committed = 0;
	fake.watch = NULL;
	fake.copied[0] = '\0';
	fake.pid = 4711;
	unlock();
}

void
fakepq_connection(const char *polls, const char *message)
{
	if (fake.n_attempts == MAX_ATTEMPTS)
		stop_test("too many connections");
	fake.attempts[fake.n_attempts++] = (struct attempt){ copy(polls), copy(message) };
}

struct fakepq_rule *
fakepq_on(const char *pattern)
{
	struct fakepq_rule *rule = &fake.rules[fake.n_rules];

	if (fake.n_rules++ == MAX_RULES)
		stop_test("too many rules");
	rule->pattern = copy(pattern);
	return rule;
}

struct fakepq_rule *
fakepq_once(const char *pattern)
{
	struct fakepq_rule *rule = fakepq_on(pattern);

	rule->once = true;
	return rule;
}

void
fakepq_forget(struct fakepq_rule *rule)
{
	for (size_t i = 0; i < rule->n_items; i++)
		PQclear(rule->items[i].result);
	rule->n_items = 0;
}

static void
add(struct fakepq_rule *rule, enum item_kind kind, PGresult *result)
{
	if (rule->n_items == MAX_ITEMS)
		stop_test("the rule \"%s\" says too much", rule->pattern);
	rule->items[rule->n_items++] = (struct item){ kind, result };
}

void
fakepq_tag(struct fakepq_rule *rule, const char *tag)
{
	PGresult *result = new_result(PGRES_COMMAND_OK);

	result->tag = copy(tag);
	add(rule, ITEM_RESULT, result);
}

void
fakepq_rows(struct fakepq_rule *rule, int n_fields, int n_rows, const char *const *values)
{
	char **copies = calloc((size_t)n_fields * (size_t)n_rows + 1, sizeof(*copies));

	for (int i = 0; i < n_fields * n_rows; i++)
		copies[i] = copy(values[i]);
	add(rule, ITEM_RESULT, new_rows(PGRES_TUPLES_OK, n_fields, n_rows, copies));
	for (int i = 0; i < n_fields * n_rows; i++)
		free(copies[i]);
	free(copies);
}

void
fakepq_name_column(struct fakepq_rule *rule, const char *name)
{
	rule->items[rule->n_items - 1].result->first_column = copy(name);
}

void
fakepq_empty(struct fakepq_rule *rule)
{
	add(rule, ITEM_RESULT, new_result(PGRES_EMPTY_QUERY));
}

void
fakepq_error(struct fakepq_rule *rule, const char *sqlstate, const char *message,
    unsigned position)
{
	PGresult *result = new_error("ERROR", sqlstate, message);
	char number[16];

	(void)snprintf(number, sizeof(number), "%u", position);
	result->position = position ? copy(number) : NULL;
	add(rule, ITEM_RESULT, result);
}

void
fakepq_error_fields(
    struct fakepq_rule *rule, const char *detail, const char *hint, const char *context)
{
	PGresult *result = rule->items[rule->n_items - 1].result;

	result->detail = copy(detail);
	result->hint = copy(hint);
	result->context = copy(context);
}

void
fakepq_notice(struct fakepq_rule *rule, const char *severity, const char *sqlstate,
    const char *message)
{
	add(rule, ITEM_NOTICE, new_error(severity, sqlstate, message));
}

void
fakepq_notify(struct fakepq_rule *rule)
{
	add(rule, ITEM_NOTIFY, NULL);
}

void
fakepq_copy_in(struct fakepq_rule *rule)
{
	add(rule, ITEM_RESULT, new_result(PGRES_COPY_IN));
}

void
fakepq_copy_out(struct fakepq_rule *rule, unsigned n_rows)
{
	add(rule, ITEM_RESULT, new_result(PGRES_COPY_OUT));
	for (unsigned i = 0; i < n_rows; i++)
		add(rule, ITEM_COPY_DATA, NULL);
	add(rule, ITEM_COPY_DONE, NULL);
	fakepq_tag(rule, "COPY 2");
}

void
fakepq_copy_both(struct fakepq_rule *rule)
{
	add(rule, ITEM_RESULT, new_result(PGRES_COPY_BOTH));
}

void
fakepq_stall(struct fakepq_rule *rule)
{
	add(rule, ITEM_STALL, NULL);
}

void
fakepq_lose(struct fakepq_rule *rule)
{
	add(rule, ITEM_LOSE, NULL);
}

void
fakepq_slow(unsigned tries)
{
	fake.slow = tries;
}

void
fakepq_backend_pid(int pid)
{
	fake.pid = pid;
}

const char *
fakepq_sent(size_t i)
{
	return i < fake.n_sent ? fake.sent[i] : NULL;
}

size_t
fakepq_n_sent(void)
{
	return fake.n_sent;
}

void
fakepq_forget_sent(void)
{
	for (size_t i = 0; i < fake.n_sent; i++)
		free(fake.sent[i]);
	fake.n_sent = 0;
	fake.error_at = 0;
}

size_t
fakepq_count(const char *pattern)
{
	size_t n = 0;

	for (size_t i = 0; i < fake.n_sent; i++)
		n += strstr(fake.sent[i], pattern) != NULL;
	return n;
}

const char *
fakepq_setting(const char *keyword)
{
	for (size_t i = 0; i < fake.n_settings; i++)
		if (strcmp(fake.keywords[i], keyword) == 0)
			return fake.values[i];
	return NULL;
}

unsigned
fakepq_n_cancels(void)
{
	return fake.n_cancels;
}

unsigned
fakepq_calls(void)
{
	return fake.n_calls;
}

void
fakepq_fail_at(unsigned call)
{
	fake.fail_at = call ? fake.n_calls + call : 0;
}

void
fakepq_lose_at(unsigned call)
{
	fake.lose_at = call ? fake.n_calls + call : 0;
}

void
fakepq_error_at(unsigned command, const char *sqlstate)
{
	fake.error_at = command ? fake.n_sent + command : 0;
	(void)snprintf(fake.error_sqlstate, sizeof(fake.error_sqlstate), "%s", sqlstate);
}

void
fakepq_watch(fakepq_watch_fn *fn)
{
	fake.watch = fn;
}

const char *
fakepq_copied(void)
{
	return fake.copied;
}

bool
fakepq_is_alive(void)
{
	return fake.newest && fake.newest->status == CONNECTION_OK &&
	    fake.newest->peer >= 0;
}

bool
fakepq_in_transaction(void)
{
	return fake.newest && fake.newest->transaction != PQTRANS_IDLE;
}

size_t
fakepq_n_committed(void)
{
	return fake.n_committed;
}

int
fakepq_live(void)
{
	int of_rules = 0;

	for (size_t i = 0; i < fake.n_rules; i++)
		for (size_t k = 0; k < fake.rules[i].n_items; k++)
			of_rules += fake.rules[i].items[k].result != NULL;
	return fake.live - of_rules;
}

/* ---- the wire ---- */

/* Put the next thing that the server says on the wire: a byte, or the end. */
static void
feed(PGconn *conn)
{
	size_t next = conn->head + conn->arrived;
	const struct item *last = conn->arrived > 0 ? &conn->queue[next - 1] : NULL;

	if (next == conn->n_queue || conn->peer < 0 || conn->on_wire || conn->in_copy_in)
		return;
	/* the server waits for the data */
	if (last && last->kind == ITEM_RESULT && last->result->status == PGRES_COPY_IN)
		return;
	if (conn->queue[next].kind == ITEM_LOSE) {
		close_peer(conn);
	} else if (conn->queue[next].kind != ITEM_STALL) {
		if (send(conn->peer, "x", 1, MSG_NOSIGNAL) != 1)
			stop_test("send: %s", strerror(errno));
		conn->on_wire = true;
	}
}

static void
queue(PGconn *conn, enum item_kind kind, PGresult *result)
{
	if (conn->n_queue == MAX_QUEUE)
		stop_test("too much to say");
	conn->queue[conn->n_queue++] = (struct item){ kind, result };
}

static struct item
pop(PGconn *conn)
{
	struct item item = conn->queue[conn->head++];

	conn->arrived--;
	if (conn->head == conn->n_queue)
		conn->head = conn->n_queue = 0;
	return item;
}

static void
drop_queue(PGconn *conn)
{
	while (conn->head < conn->n_queue)
		PQclear(conn->queue[conn->head++].result);
	conn->head = conn->n_queue = conn->arrived = 0;
}

static void
break_connection(PGconn *conn, const char *message)
{
	conn->status = CONNECTION_BAD;
	(void)snprintf(conn->error, sizeof(conn->error), "%s", message);
}

#define CLOSED_UNEXPECTEDLY                                        \
	"server closed the connection unexpectedly\n"              \
	"\tThis probably means the server terminated abnormally\n" \
	"\tbefore or while processing the request.\n"

/* What comes between the results is dealt with as soon as anybody looks. */
static void
parse(PGconn *conn)
{
	while (conn->arrived > 0 && conn->queue[conn->head].kind == ITEM_NOTICE) {
		struct item item = pop(conn);

		conn->receiver(conn->receiver_arg, item.result);
		PQclear(item.result);
	}
}

void
fakepq_hang_up(const char *sqlstate, const char *message)
{
	PGconn *conn = fake.newest;

	lock();
	if (!conn)
		stop_test("no connection to end");
	if (sqlstate)
		queue(conn, ITEM_NOTICE, new_error("FATAL", sqlstate, message));
	queue(conn, ITEM_LOSE, NULL);
	feed(conn);
	unlock();
}

/* ---- connecting ---- */

static void
open_sockets(PGconn *conn)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
		stop_test("socketpair: %s", strerror(errno));
	conn->fd = pair[0];
	conn->peer = pair[1];
}

static void
close_sockets(PGconn *conn)
{
	if (conn->fd >= 0)
		(void)close(conn->fd);
	conn->fd = -1;
	close_peer(conn);
}

static const char *const known[] = { "host", "hostaddr", "port", "dbname", "user",
	"password", "service", "tcp_user_timeout", "application_name" };
#define N_KNOWN (sizeof(known) / sizeof(known[0]))

static PQconninfoOption *
new_options(void)
{
	PQconninfoOption *options = calloc(N_KNOWN + 1, sizeof(*options));

	for (size_t i = 0; i < N_KNOWN; i++)
		options[i].keyword = (char *)(uintptr_t)known[i];
	fake.live++;
	return options;
}

/* Words "keyword=value" only. */
PQconninfoOption *
PQconninfoParse(const char *conninfo, char **errmsg)
{
	PQconninfoOption *options = NULL;

	lock();
	if (errmsg)
		*errmsg = NULL;
	if (fails() || strstr(conninfo, "://"))
		goto out;
	options = new_options();
	for (size_t i = 0; i < N_KNOWN; i++) {
		char word[64];
		const char *at = NULL;

		(void)snprintf(word, sizeof(word), "%s=", known[i]);
		at = strstr(conninfo, word);
		if (at && (at == conninfo || at[-1] == ' ')) {
			at += strlen(word);
			options[i].val = strndup(at, strcspn(at, " "));
		}
	}
out:
	unlock();
	return options;
}

PQconninfoOption *
PQconndefaults(void)
{
	PQconninfoOption *options = NULL;

	lock();
	if (!fails()) {
		options = new_options();
		options[2].val = copy("5432");
		options[4].val = copy("me");
	}
	unlock();
	return options;
}

void
PQconninfoFree(PQconninfoOption *options)
{
	if (!options)
		return;
	for (size_t i = 0; i < N_KNOWN; i++)
		free(options[i].val);
	free(options);
	fake.live--;
}

PGconn *
PQconnectStartParams(
    const char *const *keywords, const char *const *values, int expand_dbname)
{
	static const struct attempt plain = { (char *)(uintptr_t) "wro", NULL };
	PGconn *conn = NULL;

	(void)expand_dbname;
	lock();
	if (fails())
		goto out;
	for (size_t i = 0; i < fake.n_settings; i++) {
		free(fake.keywords[i]);
		free(fake.values[i]);
	}
	fake.n_settings = 0;
	for (; keywords[fake.n_settings]; fake.n_settings++) {
		fake.keywords[fake.n_settings] = copy(keywords[fake.n_settings]);
		fake.values[fake.n_settings] = copy(values[fake.n_settings]);
	}
	conn = calloc(1, sizeof(*conn));
	conn->attempt = fake.next_attempt < fake.n_attempts
	    ? fake.attempts[fake.next_attempt++]
	    : plain;
	conn->status = CONNECTION_STARTED;
	conn->transaction = PQTRANS_IDLE;
	conn->slow = fake.slow;
	open_sockets(conn);
	fake.live++;
	fake.newest = conn;
	if (fake.watch)
		fake.watch(NULL, FAKEPQ_GONE);
out:
	unlock();
	return conn;
}

/* A new socket, as libpq makes one for the next host: the lowest numbers are free again. */
static void
change_socket(PGconn *conn, bool same_number)
{
	int old = conn->fd;
	int in_the_way = same_number ? -1 : fcntl(conn->peer, F_DUPFD_CLOEXEC, old + 1);

	close_sockets(conn);
	if (!same_number && dup2(in_the_way, old) < 0)
		stop_test("dup2: %s", strerror(errno));
	open_sockets(conn);
	if (same_number && conn->peer == old) {
		conn->peer = conn->fd;
		conn->fd = old;
	}
	if ((conn->fd == old) != same_number)
		stop_test("the new socket is %d, the old was %d", conn->fd, old);
	if (!same_number) {
		(void)close(old);
		(void)close(in_the_way);
	}
}

PostgresPollingStatusType
PQconnectPoll(PGconn *conn)
{
	PostgresPollingStatusType status = PGRES_POLLING_FAILED;
	char byte = 0;
	char letter = conn->attempt.polls[conn->n_polls++];

	lock();
	if (fails())
		letter = 'f';
	(void)recv(conn->fd, &byte, 1, 0);
	switch (letter) {
	case 'n':
	case 'm':
		change_socket(conn, letter == 'n');
		/* fallthrough */
	case 'w':
		status = PGRES_POLLING_WRITING;
		break;
	case 'r':
		(void)send(conn->peer, "x", 1, MSG_NOSIGNAL);
		/* fallthrough */
	case 's':
		status = PGRES_POLLING_READING;
		break;
	case 'o':
		conn->status = CONNECTION_OK;
		status = PGRES_POLLING_OK;
		break;
	default:
		break_connection(conn,
		    conn->attempt.message ? conn->attempt.message
					  : "connection to server failed\n");
		break;
	}
	unlock();
	return status;
}

void
PQfinish(PGconn *conn)
{
	if (!conn)
		return;
	lock();
	drop_queue(conn);
	close_sockets(conn);
	if (fake.newest == conn)
		fake.newest = NULL;
	free(conn);
	fake.live--;
	unlock();
}

/* ---- commands ---- */

static PGTransactionStatusType
transaction_after(PGTransactionStatusType now, const char *sql, bool failed)
{
	for (const char *at = sql; at;
	     at = strchr(at, ';') ? strchr(at, ';') + 1 : NULL) {
		at += strspn(at, " \n");
		if (strncmp(at, "BEGIN", 5) == 0)
			now = PQTRANS_INTRANS;
		else if (strncmp(at, "COMMIT", 6) == 0 || strncmp(at, "ROLLBACK", 8) == 0)
			now = PQTRANS_IDLE;
	}
	return failed && now == PQTRANS_INTRANS ? PQTRANS_INERROR : now;
}

static bool
matches(const char *pattern, const char *sql)
{
	return *pattern == '=' ? strcmp(sql, pattern + 1) == 0
			       : strstr(sql, pattern) != NULL;
}

static struct fakepq_rule *
find_rule(const char *sql)
{
	for (size_t i = fake.n_rules; i-- > 0;) {
		struct fakepq_rule *rule = &fake.rules[i];

		if (!rule->used && matches(rule->pattern, sql)) {
			rule->used = rule->once;
			return rule;
		}
	}
	return NULL;
}

static void
queue_control(PGconn *conn, const char *sql)
{
	PGresult *result = new_result(PGRES_COMMAND_OK);

	if (strcmp(sql, "BEGIN") != 0 && strcmp(sql, "COMMIT") != 0 &&
	    strcmp(sql, "ROLLBACK") != 0)
		stop_test("no rule for: %s", sql);
	result->tag = copy(conn->transaction == PQTRANS_INERROR ? "ROLLBACK" : sql);
	queue(conn, ITEM_RESULT, result);
}

/* What the server makes of a command, whether its answer is ever read or not. */
static enum fakepq_effect
effect_of(const PGconn *conn, bool failed)
{
	if (failed)
		return FAKEPQ_FAILED;
	for (size_t i = conn->head; i < conn->n_queue; i++) {
		const PGresult *result = conn->queue[i].result;

		if (result && result->tag && strcmp(result->tag, "COMMIT") == 0 &&
		    conn->transaction_after == PQTRANS_IDLE)
			return FAKEPQ_COMMITTED;
	}
	return conn->transaction_after == PQTRANS_IDLE ? FAKEPQ_OUTSIDE : FAKEPQ_INSIDE;
}

/*
 * The rows of a result as single-row mode will give them is decided when they are read.
 */
static int
start_command(PGconn *conn, const char *sql, int n_params, const char *const *params)
{
	struct fakepq_rule *rule = NULL;
	char *line = NULL;
	size_t len = strlen(sql) + 1;
	bool failed = false;

	if (conn->active)
		stop_test("a command in progress already");
	if (conn->status != CONNECTION_OK)
		return 0;
	for (int i = 0; i < n_params; i++)
		len += 8 + (params[i] ? strlen(params[i]) : 0);
	line = calloc(1, len);
	(void)snprintf(line, len, "%s", sql);
	for (int i = 0; i < n_params; i++) {
		size_t used = strlen(line);

		(void)snprintf(
		    line + used, len - used, "|%s", params[i] ? params[i] : "NULL");
	}
	if (fake.n_sent == MAX_SENT)
		stop_test("too many commands");
	fake.sent[fake.n_sent++] = line;
	rule = find_rule(sql);
	if (fake.n_sent == fake.error_at) {
		rule = NULL;
		failed = true;
		queue(conn, ITEM_RESULT,
		    new_error("ERROR", fake.error_sqlstate, "the command fails"));
	} else if (!rule) {
		queue_control(conn, sql);
	}
	for (size_t i = 0; rule && i < rule->n_items; i++) {
		const struct item *item = &rule->items[i];

		if (failed && item->kind != ITEM_LOSE)
			continue;
		queue(conn, item->kind, item->result ? copy_result(item->result) : NULL);
		failed = item->kind == ITEM_RESULT &&
		    item->result->status == PGRES_FATAL_ERROR;
	}
	queue(conn, ITEM_READY, NULL);
	conn->transaction_after = transaction_after(conn->transaction, sql, failed);
	if (fake.watch)
		fake.watch(line, effect_of(conn, failed));
	conn->transaction = PQTRANS_ACTIVE;
	conn->active = true;
	conn->single_row = false;
	feed(conn);
	return 1;
}

int
PQsendQuery(PGconn *conn, const char *query)
{
	int rc = 0;

	lock();
	rc = fails() ? 0 : start_command(conn, query, 0, NULL);
	unlock();
	return rc;
}

int
PQsendQueryParams(PGconn *conn, const char *command, int nParams, const Oid *paramTypes,
    const char *const *paramValues, const int *paramLengths, const int *paramFormats,
    int resultFormat)
{
	int rc = 0;

	(void)paramTypes;
	(void)paramLengths;
	(void)paramFormats;
	(void)resultFormat;
	lock();
	rc = fails() ? 0 : start_command(conn, command, nParams, paramValues);
	unlock();
	return rc;
}

int
PQsetSingleRowMode(PGconn *conn)
{
	bool ok = !fails();

	conn->single_row = ok;
	return ok;
}

int
PQflush(PGconn *conn)
{
	int rc = 0;

	lock();
	if (fails()) {
		break_connection(conn, "could not send data to server: Broken pipe\n");
		rc = -1;
	} else if (conn->slow > 0) {
		conn->slow--;
		rc = 1;
	}
	unlock();
	return rc;
}

int
PQconsumeInput(PGconn *conn)
{
	char byte = 0;
	ssize_t n = 0;

	lock();
	n = fails() ? 0 : recv(conn->fd, &byte, 1, 0);
	if (n == 1) {
		conn->arrived++;
		conn->on_wire = false;
		feed(conn);
	} else if (n == 0) {
		break_connection(conn, CLOSED_UNEXPECTEDLY);
	}
	unlock();
	return n != 0;
}

int
PQisBusy(PGconn *conn)
{
	parse(conn);
	return conn->active && conn->arrived == 0 && conn->status == CONNECTION_OK;
}

/* In single-row mode a result of n rows is n results of one, and one of none. */
static PGresult *
take_row(PGconn *conn)
{
	PGresult *whole = conn->queue[conn->head].result;
	PGresult *row = NULL;
	int n = whole->n_fields;

	if (!conn->single_row || whole->status != PGRES_TUPLES_OK || whole->n_rows == 0)
		return pop(conn).result;
	row = new_rows(PGRES_SINGLE_TUPLE, n, 1, whole->values);
	for (int i = 0; i < n; i++)
		free(whole->values[i]);
	whole->n_rows--;
	memmove(whole->values, whole->values + n,
	    (size_t)n * (size_t)whole->n_rows * sizeof(*whole->values));
	return row;
}

PGresult *
PQgetResult(PGconn *conn)
{
	PGresult *result = NULL;

	lock();
	parse(conn);
	if (!conn->active)
		goto out;
	if (fails())
		break_connection(conn, CLOSED_UNEXPECTEDLY);
	if (conn->status != CONNECTION_OK) {
		conn->active = false;
		result = new_error(NULL, NULL, conn->error);
		goto out;
	}
	if (conn->arrived == 0)
		stop_test("PQgetResult would block");
	if (conn->queue[conn->head].kind == ITEM_READY) {
		(void)pop(conn);
		conn->active = false;
		conn->transaction = conn->transaction_after;
		goto out;
	}
	if (conn->queue[conn->head].kind != ITEM_RESULT)
		stop_test("PQgetResult in the midst of COPY");
	result = take_row(conn);
	if (strcmp(fake.sent[fake.n_sent - 1], "COMMIT") == 0 && result->tag &&
	    strcmp(result->tag, "COMMIT") == 0)
		fake.n_committed++;
	if (result->status == PGRES_COPY_IN)
		conn->in_copy_in = true;
out:
	unlock();
	return result;
}

/* The server gives up the command: what it has not said yet is an error. */
static void
give_up(PGconn *conn, const char *message)
{
	size_t keep = conn->head + conn->arrived;

	for (size_t i = keep; i < conn->n_queue; i++)
		PQclear(conn->queue[i].result);
	conn->n_queue = keep;
	queue(conn, ITEM_RESULT, new_error("ERROR", "57014", message));
	queue(conn, ITEM_READY, NULL);
	if (conn->transaction_after == PQTRANS_INTRANS)
		conn->transaction_after = PQTRANS_INERROR;
}

int
PQputCopyData(PGconn *conn, const char *buffer, int nbytes)
{
	size_t used = strlen(fake.copied);
	int rc = 1;

	lock();
	if (!conn->in_copy_in)
		stop_test("no COPY to give data to");
	if (fails()) {
		break_connection(conn, "could not send data to server: Broken pipe\n");
		rc = -1;
	} else if (conn->slow > 0) {
		conn->slow--;
		rc = 0;
	} else {
		(void)snprintf(fake.copied + used, sizeof(fake.copied) - used, "%.*s",
		    nbytes, buffer);
	}
	unlock();
	return rc;
}

int
PQputCopyEnd(PGconn *conn, const char *errormsg)
{
	char message[256];
	int rc = 1;

	lock();
	if (!conn->in_copy_in)
		stop_test("no COPY to end");
	if (fails()) {
		break_connection(conn, "could not send data to server: Broken pipe\n");
		rc = -1;
	} else if (conn->slow > 0) {
		conn->slow--;
		rc = 0;
	} else {
		(void)snprintf(message, sizeof(message), "COPY from stdin failed: %s",
		    errormsg ? errormsg : "");
		conn->in_copy_in = false;
		if (errormsg)
			give_up(conn, message);
		feed(conn);
	}
	unlock();
	return rc;
}

int
PQgetCopyData(PGconn *conn, char **buffer, int async)
{
	int rc = 0;

	lock();
	if (!async)
		stop_test("PQgetCopyData would block");
	if (fails()) {
		break_connection(conn, CLOSED_UNEXPECTEDLY);
		rc = -2;
	} else if (conn->arrived > 0 && conn->queue[conn->head].kind == ITEM_COPY_DATA) {
		(void)pop(conn);
		*buffer = copy("a row\n");
		fake.live++;
		rc = 6;
	} else if (conn->arrived > 0 && conn->queue[conn->head].kind == ITEM_COPY_DONE) {
		(void)pop(conn);
		rc = -1;
	}
	unlock();
	return rc;
}

PGnotify *
PQnotifies(PGconn *conn)
{
	PGnotify *notify = NULL;

	lock();
	parse(conn);
	if (conn->arrived > 0 && conn->queue[conn->head].kind == ITEM_NOTIFY) {
		(void)pop(conn);
		notify = calloc(1, sizeof(*notify));
		fake.live++;
	}
	unlock();
	return notify;
}

void
PQfreemem(void *ptr)
{
	free(ptr);
	fake.live--;
}

/* ---- cancelling ---- */

PGcancel *
PQgetCancel(PGconn *conn)
{
	PGcancel *cancel = NULL;

	lock();
	if (!fails()) {
		cancel = calloc(1, sizeof(*cancel));
		cancel->conn = conn;
		fake.live++;
	}
	unlock();
	return cancel;
}

int
PQcancel(PGcancel *cancel, char *errbuf, int errbufsize)
{
	PGconn *conn = NULL;
	bool ok = false;

	lock();
	ok = !fails();
	if (!ok)
		(void)snprintf(
		    errbuf, (size_t)errbufsize, "PQcancel() -- connect() failed\n");
	else
		fake.n_cancels++;
	/* the connection may be gone, and another in its place is no harm */
	conn = cancel->conn == fake.newest ? cancel->conn : NULL;
	if (ok && conn && conn->active && conn->head + conn->arrived < conn->n_queue &&
	    conn->queue[conn->head + conn->arrived].kind == ITEM_STALL) {
		give_up(conn, "canceling statement due to user request");
		feed(conn);
	}
	unlock();
	return ok;
}

void
PQfreeCancel(PGcancel *cancel)
{
	lock();
	free(cancel);
	fake.live--;
	unlock();
}

/* ---- looking ---- */

int
PQsetnonblocking(PGconn *conn, int arg)
{
	(void)conn;
	(void)arg;
	return fails() ? -1 : 0;
}

PGVerbosity
PQsetErrorVerbosity(PGconn *conn, PGVerbosity verbosity)
{
	(void)conn;
	return verbosity;
}

PQnoticeReceiver
PQsetNoticeReceiver(PGconn *conn, PQnoticeReceiver proc, void *arg)
{
	conn->receiver = proc;
	conn->receiver_arg = arg;
	return NULL;
}

int
PQsocket(const PGconn *conn)
{
	return fails() ? -1 : conn->fd;
}

ConnStatusType
PQstatus(const PGconn *conn)
{
	return conn ? conn->status : CONNECTION_BAD;
}

PGTransactionStatusType
PQtransactionStatus(const PGconn *conn)
{
	return conn && conn->status == CONNECTION_OK ? conn->transaction
						     : PQTRANS_UNKNOWN;
}

int
PQbackendPID(const PGconn *conn)
{
	return conn->status == CONNECTION_OK ? fake.pid : 0;
}

int
PQserverVersion(const PGconn *conn)
{
	return conn->status == CONNECTION_OK ? 150020 : 0;
}

int
PQconnectionNeedsPassword(const PGconn *conn)
{
	return conn && strstr(conn->error, "no password supplied") != NULL;
}

char *
PQerrorMessage(const PGconn *conn)
{
	static char none[] = "connection pointer is NULL\n";

	return conn ? (char *)(uintptr_t)conn->error : none;
}

ExecStatusType
PQresultStatus(const PGresult *res)
{
	return res->status;
}

char *
PQresultErrorMessage(const PGresult *res)
{
	static char none[] = "";

	return res->message ? res->message : none;
}

char *
PQresultErrorField(const PGresult *res, int fieldcode)
{
	if (!res->sqlstate)
		return NULL;
	switch (fieldcode) {
	case PG_DIAG_SEVERITY_NONLOCALIZED:
		return res->severity;
	case PG_DIAG_SQLSTATE:
		return res->sqlstate;
	case PG_DIAG_MESSAGE_PRIMARY:
		return res->message;
	case PG_DIAG_STATEMENT_POSITION:
		return res->position;
	case PG_DIAG_MESSAGE_DETAIL:
		return res->detail;
	case PG_DIAG_MESSAGE_HINT:
		return res->hint;
	case PG_DIAG_CONTEXT:
		return res->context;
	default:
		return NULL;
	}
}

int
PQntuples(const PGresult *res)
{
	return res ? res->n_rows : 0;
}

int
PQnfields(const PGresult *res)
{
	return res ? res->n_fields : 0;
}

int
PQfnumber(const PGresult *res, const char *field_name)
{
	return res->first_column && strcmp(res->first_column, field_name) == 0 ? 0 : -1;
}

int
PQgetisnull(const PGresult *res, int tup_num, int field_num)
{
	return !res->values[tup_num * res->n_fields + field_num];
}

char *
PQgetvalue(const PGresult *res, int tup_num, int field_num)
{
	static char none[] = "";

	if (tup_num >= res->n_rows || field_num >= res->n_fields)
		stop_test("no field %d in row %d", field_num, tup_num);
	return PQgetisnull(res, tup_num, field_num)
	    ? none
	    : res->values[tup_num * res->n_fields + field_num];
}

char *
PQcmdStatus(PGresult *res)
{
	static char none[] = "";

	return res->tag ? res->tag : none;
}

/* The last number of the tag, as of "INSERT 0 1". */
char *
PQcmdTuples(PGresult *res)
{
	char *last = strrchr(PQcmdStatus(res), ' ');

	return last ? last + 1 : PQcmdStatus(res) + strlen(PQcmdStatus(res));
}
