/* Connections, queues, and what to do with errors. */
#include "peer.h"

#include <amqp_tcp_socket.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  exit(1);
}

void check(int status, const char *what) {
  if (status != AMQP_STATUS_OK) {
    fail("%s: %s; see whether the broker lives", what, amqp_error_string2(status));
  }
}

void check_reply(amqp_rpc_reply_t reply, const char *what) {
  switch (reply.reply_type) {
  case AMQP_RESPONSE_NORMAL:
    return;
  case AMQP_RESPONSE_LIBRARY_EXCEPTION:
    check(reply.library_error, what);
    return;
  case AMQP_RESPONSE_SERVER_EXCEPTION:
    if (reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
      amqp_channel_close_t *close = reply.reply.decoded;
      fail("%s: the broker says %.*s", what, (int)close->reply_text.len, (char *)close->reply_text.bytes);
    }
    if (reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
      amqp_connection_close_t *close = reply.reply.decoded;
      fail("%s: the broker says %.*s", what, (int)close->reply_text.len, (char *)close->reply_text.bytes);
    }
    /* fall through */
  default:
    fail("%s: the broker gave no answer that is known; see its log", what);
  }
}

void exchange_name(char name[NAME_BYTES]) {
  snprintf(name, NAME_BYTES, "peer-librabbitmq-%ld", (long)getpid());
}

/* A connected socket, as the library makes it, but for what has to be chosen before it connects: a system whose
 * choice is BBR sends at a pace, which makes this client slower within a machine. */
static int open_socket(const struct amqp_connection_info *info) {
  char port[8];
  snprintf(port, sizeof port, "%d", info->port);
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *addresses;
  if (getaddrinfo(info->host, port, &hints, &addresses) != 0) {
    fail("host %s has no address", info->host);
  }
  for (struct addrinfo *address = addresses; address; address = address->ai_next) {
    int descriptor = socket(address->ai_family, address->ai_socktype, address->ai_protocol);
    int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_CONGESTION, "cubic", strlen("cubic"));
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (descriptor >= 0 && connect(descriptor, address->ai_addr, address->ai_addrlen) == 0) {
      freeaddrinfo(addresses);
      /* As the library expects it. */
      fcntl(descriptor, F_SETFL, O_NONBLOCK);
      return descriptor;
    }
    close(descriptor);
  }
  fail("%s:%s cannot be reached; see whether the broker lives", info->host, port);
}

amqp_connection_state_t connect_to_broker(const struct options *options) {
  /* The parts of the URL point into the copy, which therefore stays. */
  char *url = strdup(options->url);
  struct amqp_connection_info info;
  if (!url || amqp_parse_url(url, &info) != AMQP_STATUS_OK || info.ssl) {
    fail("'%s' is not a URL like amqp://user:password@host:port/vhost", options->url);
  }
  amqp_connection_state_t connection = amqp_new_connection();
  amqp_socket_t *socket = connection ? amqp_tcp_socket_new(connection) : NULL;
  if (!socket) {
    fail("there is no memory for a connection; free some");
  }
  amqp_tcp_socket_set_sockfd(socket, open_socket(&info));
  struct timeval patience = {.tv_sec = 20};
  amqp_set_rpc_timeout(connection, &patience);
  if (options->socket_buffer) {
    int descriptor = amqp_get_sockfd(connection);
    setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &options->socket_buffer, sizeof options->socket_buffer);
    setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &options->socket_buffer, sizeof options->socket_buffer);
  }
  check_reply(amqp_login(connection, info.vhost, CHANNEL, options->frame_max, 0, AMQP_SASL_METHOD_PLAIN,
                         info.user, info.password),
              "logging in");
  amqp_channel_open(connection, CHANNEL);
  check_reply(amqp_get_rpc_reply(connection), "opening a channel");
  return connection;
}

void begin_consumer(struct consumer *consumer, unsigned number) {
  amqp_connection_state_t connection = consumer->connection;
  char exchange_text[NAME_BYTES], queue_text[NAME_BYTES + 16];
  exchange_name(exchange_text);
  snprintf(queue_text, sizeof queue_text, "%s-%u", exchange_text, number);
  amqp_bytes_t exchange = amqp_cstring_bytes(exchange_text), queue = amqp_cstring_bytes(queue_text);
  /* The broker deletes a queue when its consumer goes, and the exchange with the last queue, whatever ends
   * this process. */
  amqp_boolean_t passive = 0, durable = 0, exclusive = 0, internal = 0, auto_delete = 1;
  amqp_exchange_declare(connection, CHANNEL, exchange, amqp_cstring_bytes("fanout"), passive, durable,
                        auto_delete, internal, amqp_empty_table);
  check_reply(amqp_get_rpc_reply(connection), "declaring an exchange");
  amqp_queue_declare(connection, CHANNEL, queue, passive, durable, exclusive, auto_delete, amqp_empty_table);
  check_reply(amqp_get_rpc_reply(connection), "declaring a queue");
  amqp_queue_bind(connection, CHANNEL, queue, exchange, amqp_empty_bytes, amqp_empty_table);
  check_reply(amqp_get_rpc_reply(connection), "binding a queue");
  uint64_t prefetch = consumer->options->window * 2;
  amqp_basic_qos(connection, CHANNEL, 0, prefetch > 5000 ? 5000 : prefetch, 0);
  check_reply(amqp_get_rpc_reply(connection), "setting the prefetch");
  amqp_boolean_t no_local = 0, no_ack = 0;
  amqp_basic_consume(connection, CHANNEL, queue, amqp_empty_bytes, no_local, no_ack, exclusive,
                     amqp_empty_table);
  check_reply(amqp_get_rpc_reply(connection), "consuming");
}
