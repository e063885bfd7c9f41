/** Version of the protocol below; the guest says it in its greeting. */
export const AGENT_PROTOCOL = 1;

/** The greeting's first word. It comes at every start of the agent, so also after a kexec. */
export const GREETING = "=tidemark-agent";

/**
 * Text of /init: busybox's shell as process 1, which serves requests on ttyS1.
 *
 *     host   @ID VERB LENGTH REST\n  then LENGTH raw bytes
 *     guest  =ID out\n STDOUT =ID err\n STDERR =ID end STATUS\n
 *
 * ID is a word that the host draws at random for each request, so no output can look like a mark. One request is
 * served at a time, and the host sends none before the last one is answered. A line that does not begin with @ is noise and skipped. REST is a path for the verbs that
 * take one. The kernel's console is ttyS0; nothing but the agent writes to ttyS1.
 *
 * `tidemark_shell=1` on the kernel's command line gives a shell on the console as well.
 */
export const GUEST_INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin HOME=/ TERM=linux
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs -o size=0 tmpfs /run
mkdir -p /run/agent /run/fill /dev/pts
mount -t devpts devpts /dev/pts
mount -t tmpfs -o size=0 fill /run/fill
echo 1 >/proc/sys/kernel/sysrq
exec 3<>/dev/ttyS1
stty -F /dev/ttyS1 4000000 raw -echo 2>/dev/null
in=/run/agent/in out=/run/agent/out err=/run/agent/err

# What the verbs do. Each leaves its exit status and what it says on fd 2; its output is the answer's. A snippet
# gets files: programs behave differently on a terminal, and one that it leaves behind must not write there.
serve() {
  case $verb in
    ping) ;;
    run)
      ( exec 3>&-; . $in ) </dev/null >$out 2>$err
      set -- $?
      [ ! -s $out ] || cat $out
      return $1 ;;
    get) cat "$rest" ;;
    put) cat $in >"$rest" ;;
    append) cat $in >>"$rest" ;;
    snapshot) snapshot ;;
    poweroff | reboot | kexec) ;;
    *) echo "no such verb: $verb" >&2; false ;;
  esac
}

# Every line of many small files, as PATH:LINE, by one process.
snapshot() {
  cd /sys/devices/system
  grep -s '' -H /proc/uptime /proc/meminfo /proc/iomem memory/block_size_bytes memory/auto_online_blocks \\
    memory/memory*/state memory/memory*/valid_zones node/node*/meminfo
  cd /
  true
}

# After the answer has left the port: changing the line's settings waits for that.
depart() {
  case $verb in
    poweroff) stty -F /dev/ttyS1 raw; poweroff -f ;;
    reboot) stty -F /dev/ttyS1 raw; reboot -f ;;
    kexec) stty -F /dev/ttyS1 raw; kexec-file ;;
  esac
}

if [ -n "$tidemark_shell" ]; then
  while true; do setsid cttyhack sh; done 3>&- &
fi
read -r boot </proc/sys/kernel/random/boot_id
echo "${GREETING} ready ${AGENT_PROTOCOL} $boot" >&3
while true; do
  read -r id verb length rest <&3 || continue
  case $id in @*) id==\${id#@} ;; *) continue ;; esac
  : >$in
  # dd takes that many bytes and not one more, unlike head.
  [ "$length" = 0 ] || dd bs="$length" count=1 iflag=fullblock of=$in <&3 2>/dev/null
  echo "$id out" >&3
  serve >&3 2>$err
  status=$?
  echo "$id err" >&3
  [ ! -s $err ] || cat $err >&3
  echo "$id end $status" >&3
  depart
done
`;
