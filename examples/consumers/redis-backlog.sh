#!/bin/sh
# Prints how many messages there are for redis-consumer.php: in the queue, and at work. Those count as well: when the last
# consumer is killed, its message needs another one to put it back.
# ROCKSY_BACKLOG_REDIS is host:port or the path of a socket, ROCKSY_BACKLOG_REDIS_PASSWORD its password if it has one.
set -eu
place=${ROCKSY_BACKLOG_REDIS:-127.0.0.1:6379}
case $place in
  /*) set -- -s "$place" ;;
  *) set -- -h "${place%:*}" -p "${place##*:}" ;;
esac
if [ -n "${ROCKSY_BACKLOG_REDIS_PASSWORD:-}" ]; then
  # Not among the arguments, which everybody on the machine can see.
  export REDISCLI_AUTH="$ROCKSY_BACKLOG_REDIS_PASSWORD"
fi
exec redis-cli -e "$@" EVAL "
  local count = redis.call('LLEN', 'orders')
  for _, id in ipairs(redis.call('SMEMBERS', 'orders:consumers')) do
    count = count + redis.call('LLEN', 'orders:processing:' .. id)
  end
  return count" 0
