# Holds the programs of one control plane, so that none of them outlives the process that asked for them.
#   sh supervisor.sh FOLDER remove|keep
# Standard input is a pipe whose other end the asking process alone holds. It carries `start NAME` and `stop NAME`,
# FOLDER/acknowledged counts the commands carried out. When the pipe closes, however that process ended, everything is
# killed and FOLDER is removed (or kept).
# FOLDER/NAME.args has the program and its arguments, one a line. NAME.pid appears when the program runs, NAME.exit
# (its exit code) when it has ended, NAME.log is what it said.
dir=$1
after=$2
names=
cd "$dir" || exit 1

start() {
  name=$1
  names="$names $name"
  rm -f "$name.pid" "$name.exit"
  (
    set --
    while IFS= read -r argument; do set -- "$@" "$argument"; done <"$name.args"
    "$@" >>"$name.log" 2>&1 </dev/null &
    echo $! >"$name.pid"
    wait $!
    echo $? >"$name.exit"
  ) &
  await "$name.pid"
}

stop() {
  await "$1.pid"
  [ -s "$1.exit" ] || kill -KILL "$(cat "$1.pid")" 2>/dev/null
  await "$1.exit"
}

# Until a file has something in it, or about ten seconds have passed.
await() {
  tries=0
  until [ -s "$1" ] || [ $tries -ge 500 ]; do
    sleep 0.02
    tries=$((tries + 1))
  done
}

# KILL, not TERM: nothing here is worth a graceful shutdown, and a control plane that drains its watches is still there
# when the next test begins. etcd's data survives a killed process; it would not survive a lost machine.
clean_up() {
  trap '' TERM INT HUP
  for name in $names; do
    [ -s "$name.pid" ] && [ ! -s "$name.exit" ] && kill -KILL "$(cat "$name.pid")" 2>/dev/null
  done
  for name in $names; do stop "$name"; done
  cd /
  [ "$after" = keep ] || rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 0' TERM INT HUP

count=0
while read -r verb name; do
  case $verb in
    start) start "$name" ;;
    stop) stop "$name" ;;
  esac
  count=$((count + 1))
  echo $count >acknowledged
done
