#!/bin/sh
# Makes a service of the name given: an init script of SysV, as a machine without systemd has them.
set -eu
script=/etc/init.d/$1
cat > "$script" <<END
#!/bin/sh
### BEGIN INIT INFO
# Provides: $1
# Required-Start:
# Required-Stop:
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
### END INIT INFO
pid=/run/$1.pid
case "\$1" in
start) sleep 3000 >/dev/null 2>&1 </dev/null & echo \$! > \$pid;;
stop) [ -f \$pid ] && kill \$(cat \$pid); rm -f \$pid;;
restart) \$0 stop; \$0 start;;
status) test -f \$pid || exit 3;;
esac
END
chmod 755 "$script"
