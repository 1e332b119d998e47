#!/usr/bin/env bash
# Runs inside the virtual machine of try.sh; its last line is ALL PASSED, or not.
# shellcheck disable=SC2016 # what is in single quotes is for the inner bash
set -u
export PATH=/opt/rocksy/current/node_modules/.bin:$PATH
failed=0
check() { # what, command…
  local what=$1; shift
  if "$@" >/tmp/check 2>&1; then echo "ok    $what"; else failed=1; echo "NOT OK $what"; sed 's/^/      /' /tmp/check; fi
}
main() { systemctl show -p MainPID --value rocksyd; }
status() { systemctl show -p StatusText --value rocksyd; }
until_true() { for _ in $(seq 300); do "$@" && return 0; sleep 0.1; done; return 1; }
worker() { status | sed 's/.*worker pid \([0-9]*\).*/\1/'; }
asks() { echo stats | timeout 300 nc -vNU /run/rocksy/rocksyd.sock | tee /dev/stderr | grep -q worker_pid; }
serves() { rocksy ps >/dev/null 2>&1; }

echo; systemctl --version | head -1; uname -r
check 'the unit is well formed' systemd-analyze verify /etc/systemd/system/rocksyd.service
check 'start' systemctl start rocksyd
echo "      $(status)"
check 'it is active and says so' bash -c '[[ $(systemctl is-active rocksyd) = active && "$(systemctl show -p StatusText --value rocksyd)" = serving,* ]]'
check 'the store has the listening socket' bash -c '[ "$(systemctl show -p NFileDescriptorStore --value rocksyd)" = 1 ]'
check 'the watchdog runs' bash -c '[ "$(systemctl show -p WatchdogTimestampMonotonic --value rocksyd)" -gt 0 ]'

rocksy run --detach --pool os --key long -- sleep 100000 >/dev/null
run=$(until_true pgrep -u nobody -x sleep >/dev/null; pgrep -u nobody -x sleep)
zygote=$(pgrep -o -f '^rocksy zygote')
echo "      keeper $(main), worker $(worker), zygote $zygote, run $run"
score() { cat "/proc/$1/oom_score_adj"; }
check 'the daemon is protected from the OOM killer, zygote and run are not' \
  [ "$(score "$(main)") $(score "$(worker)") $(score "$zygote") $(score "$run")" = '-900 -900 0 0' ]
check 'no variable of systemd reaches worker, zygote or run' bash -c \
  '! cat /proc/{'"$(worker),$zygote,$run"'}/environ | tr "\0" "\n" | grep -E "^(NOTIFY|WATCHDOG|LISTEN|FDSTORE)"'
check 'the limit of open files' bash -c "grep -q 'Max open files *524288' /proc/$(main)/limits"

before=$(main) old=$(worker)
ln -sfn releases/2 /opt/rocksy/current
coproc nc -U /run/rocksy/rocksyd.sock
ask() { echo stats >&"${COPROC[1]}" && read -r -t 60 line <&"${COPROC[0]}" && grep -q worker_pid <<<"$line"; }
check 'a connection is served' ask
check 'reload takes the new release over' systemctl reload rocksyd
check 'the connection of before is served by the new worker' ask
check 'and it is the same connection' kill -0 "$COPROC_PID"
check 'same main pid, another worker, of the new release' \
  bash -c "[ $before = $(main) ] && [ $old != $(worker) ] && grep -qz releases/2 /proc/$(worker)/cmdline"
echo "      $(status)"

cp /etc/rocksy/rocksyd.yaml /tmp/good.yaml
echo 'nonsense: true' >>/etc/rocksy/rocksyd.yaml
worker=$(worker)
check 'reload of a broken configuration fails' bash -c '! systemctl reload rocksyd'
check 'its reason is in the journal' bash -c \
  'until journalctl -u rocksyd -o cat | grep -q "^rocksy: Nothing has changed"; do sleep 0.1; done'
journalctl -u rocksyd -o cat | grep -A3 '^rocksy: Nothing' | sed 's/^/      | /'
echo "      $(status)"
check 'and in the status' bash -c '[[ "$(systemctl show -p StatusText --value rocksyd)" = *"takeover refused"*nonsense* ]]'
check 'the old worker serves on, the unit is active' bash -c "[ $worker = $(worker) ] && [ $(systemctl is-active rocksyd) = active ] && rocksy ps"
cp /tmp/good.yaml /etc/rocksy/rocksyd.yaml

socket=/run/rocksy/rocksyd.sock
inode() { stat -c %i $socket; }
before=$(main) file=$(inode)
# One that comes while nobody serves waits, and is answered by the next.
systemctl --no-block restart rocksyd
until_true bash -c "! kill -0 $before 2>/dev/null"
check 'a client that comes in mid-restart is answered' asks
until_true serves
check 'restart: another main pid, the same socket file' bash -c "[ $before != $(main) ] && [ $file = $(inode) ]"
check 'the run lives on over a restart' bash -c "kill -0 $run && rocksy status long | grep -q running"
echo "      $(status)"

before=$(main) old=$(worker)
kill -9 "$before"
until_true bash -c "! kill -0 $old 2>/dev/null"
check 'kill -9 of the keeper: a client is answered by the next' asks
until_true serves
check 'another main pid, the same socket file' bash -c "[ $before != $(main) ] && [ $file = $(inode) ]"
check 'the run lives on over it' bash -c "kill -0 $run && rocksy status long | grep -q running"

old=$(worker)
kill -9 "$old"
other_worker() { [ "$(worker)" != "$old" ] && serves; }
until_true other_worker
check 'kill -9 of the worker: same keeper, new worker, the run lives on' \
  bash -c "[ $(worker) != $old ] && kill -0 $run && systemctl is-active rocksyd"
echo "      $(status)"

# A keeper that hangs is found by the watchdog; a shorter one, so that nobody waits a minute.
mkdir -p /etc/systemd/system/rocksyd.service.d
printf '[Service]\nWatchdogSec=2\n' >/etc/systemd/system/rocksyd.service.d/watchdog.conf
systemctl daemon-reload; systemctl restart rocksyd; until_true serves
before=$(main)
kill -STOP "$before"
until_true bash -c "[ \"\$(systemctl show -p MainPID --value rocksyd)\" != $before ]"; until_true serves
check 'a keeper that hangs is replaced after WatchdogSec; the run lives on' bash -c "[ $before != $(main) ] && kill -0 $run"
journalctl -u rocksyd -o cat | grep -i watchdog | tail -1 | sed 's/^/      | /'

check 'stop leaves the run' bash -c "systemctl stop rocksyd && kill -0 $run"
check 'stopped, it refuses' bash -c '! rocksy ps'
check 'the store is empty' bash -c '[ "$(systemctl show -p NFileDescriptorStore --value rocksyd)" = 0 ]'
check 'the next start finds the run again' bash -c "systemctl start rocksyd && rocksy status long | grep -q running"
check 'the run can be ended, and its outcome is known' bash -c 'rocksy kill long; rocksy wait long; rocksy status long | grep -q cancelled'

echo 'nonsense: true' >>/etc/rocksy/rocksyd.yaml
check 'a start with a broken configuration fails, once' bash -c \
  '! systemctl restart rocksyd; [ "$(systemctl show -p Result --value rocksyd)" = exit-code ] && [ "$(systemctl is-active rocksyd)" = failed ]'
if [ $failed = 0 ]; then echo 'ALL PASSED'; else journalctl -u rocksyd -o short-monotonic --no-pager | tail -80; echo FAILED; fi
