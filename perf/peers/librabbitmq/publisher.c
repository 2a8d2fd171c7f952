/* Publishes with a window of unconfirmed messages that is kept full. */
#include "peer.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Tags that are on their way. The oldest without a confirm counts, as confirms come in any order. */
struct window {
  uint64_t published;
  /* All tags up to this one are confirmed. */
  uint64_t confirmed;
  /* By tag modulo size: confirmed, though one before it is not. */
  unsigned char *ahead;
  uint64_t size;
};

static void confirm(struct window *window, uint64_t tag, amqp_boolean_t multiple) {
  if (tag <= window->confirmed) {
    return;
  }
  if (tag > window->published) {
    fail("the broker confirmed what was not published");
  }
  for (uint64_t each = multiple ? window->confirmed + 1 : tag; each <= tag; each++) {
    window->ahead[each % window->size] = 1;
  }
  while (window->ahead[(window->confirmed + 1) % window->size]) {
    window->confirmed++;
    window->ahead[window->confirmed % window->size] = 0;
  }
}

/* Takes in one frame of confirms; gives 0 if none came in this time. */
static int take_confirm(amqp_connection_state_t connection, struct window *window,
                        const struct timeval *patience) {
  amqp_frame_t frame;
  int status = amqp_simple_wait_frame_noblock(connection, &frame, patience);
  if (status == AMQP_STATUS_TIMEOUT) {
    return 0;
  }
  check(status, "waiting for confirms");
  if (frame.frame_type != AMQP_FRAME_METHOD || frame.payload.method.id != AMQP_BASIC_ACK_METHOD) {
    fail("the broker said something else than a confirm; see its log");
  }
  amqp_basic_ack_t *ack = frame.payload.method.decoded;
  confirm(window, ack->delivery_tag, ack->multiple);
  amqp_maybe_release_buffers(connection);
  return 1;
}

/* Waits until so many at most are on their way. */
static void wait_for_confirms(amqp_connection_state_t connection, struct window *window, uint64_t most) {
  struct timeval patience = {.tv_sec = 30};
  while (window->published - window->confirmed > most) {
    if (!take_confirm(connection, window, &patience)) {
      fail("no confirm came for 30 s; see whether the broker has an alarm");
    }
  }
}

/* What bodies are cut from. */
struct source {
  char *bytes;
  size_t size;
  /* Where the next body begins. */
  size_t at;
};

static struct source open_source(const struct options *options) {
  struct source source = {.size = options->body_bytes};
  if (!options->file) {
    source.bytes = malloc(source.size);
    if (!source.bytes) {
      fail("there is no memory for a body; free some");
    }
    memset(source.bytes, 7, source.size);
    return source;
  }
  int descriptor = open(options->file, O_RDONLY);
  struct stat status;
  if (descriptor < 0 || fstat(descriptor, &status) != 0 || (size_t)status.st_size < options->body_bytes) {
    fail("%s cannot be read, or is smaller than a body", options->file);
  }
  source.size = status.st_size;
  source.bytes = mmap(NULL, source.size, PROT_READ, MAP_SHARED, descriptor, 0);
  if (source.bytes == MAP_FAILED) {
    fail("%s cannot be mapped", options->file);
  }
  madvise(source.bytes, source.size, MADV_SEQUENTIAL);
  close(descriptor);
  return source;
}

static amqp_bytes_t next_body(struct source *source, size_t size) {
  if (source->size - source->at < size) {
    source->at = 0;
  }
  amqp_bytes_t body = {.len = size, .bytes = source->bytes + source->at};
  source->at += size;
  return body;
}

void *publish_all(void *argument) {
  struct publisher *publisher = argument;
  const struct options *options = publisher->options;
  amqp_connection_state_t connection = publisher->connection;
  amqp_confirm_select(connection, CHANNEL);
  check_reply(amqp_get_rpc_reply(connection), "turning confirms on");

  char name[NAME_BYTES];
  exchange_name(name);
  amqp_bytes_t exchange = amqp_cstring_bytes(name);
  struct source source = open_source(options);
  struct window window = {.ahead = calloc(options->window + 1, 1), .size = options->window + 1};
  if (!window.ahead) {
    fail("there is no memory for a window; free some");
  }

  /* To look for confirms costs two system calls when there is none; the window does not run dry when
   * an eighth of it is published in between. */
  uint64_t between = options->window / 8 ? options->window / 8 : 1;
  struct timeval at_once = {0};
  while (window.published < options->messages) {
    if (window.published % between == 0) {
      while (take_confirm(connection, &window, &at_once)) {
      }
    }
    wait_for_confirms(connection, &window, options->window - 1);
    amqp_bytes_t body = next_body(&source, options->body_bytes);
    check(amqp_basic_publish(connection, CHANNEL, exchange, amqp_empty_bytes, 0, 0, NULL, body), "publishing");
    window.published++;
  }
  wait_for_confirms(connection, &window, 0);
  free(window.ahead);
  return NULL;
}
