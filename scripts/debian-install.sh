#!/bin/sh
# Installs the named Debian packages as root without starting the services they bring: a demonstration must not leave
# daemons on a machine. Other packages that apt-get touches on the way follow the machine's own policy.
set -u
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

policy=/usr/sbin/policy-rc.d
own=$policy.before-isthmus

restore() {
  [ -e "$policy" ] && grep -q 'made by isthmus' "$policy" && rm -f "$policy"
  [ -e "$own" ] && mv -f "$own" "$policy"
  return 0
}
trap restore EXIT
trap 'exit 143' HUP INT TERM

restore # what a run that was killed has left
[ -e "$policy" ] && mv "$policy" "$own"
# Erlang's name server comes with ejabberd and is of no use to it here; one that was there before is left alone.
services=$*
case " $* " in *' ejabberd '*) command -v epmd > /dev/null || services="$services epmd" ;; esac
names=$(printf '%s|' $services | sed 's/|$//')
cat > "$policy" <<POLICY
#!/bin/sh
# made by isthmus: gone again when the installation ends
case "\${1%.*}" in $names) exit 101 ;; esac
[ -x "$own" ] && exec "$own" "\$@"
exit 0
POLICY
chmod 755 "$policy"

get() {
  apt-get -o DPkg::Lock::Timeout=120 -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 \
    --quiet "$@"
}

# A broken third-party source makes update fail while Debian's own lists are fresh: install has the last word.
get update
wanted=
for name in "$@"; do
  if apt-cache show "$name" > /dev/null 2>&1; then
    wanted="$wanted $name"
  else
    echo "No package $name in this release"
  fi
done
[ -z "$wanted" ] && exit 0
get --yes --no-install-recommends install $wanted || exit 1

# Installing enables the services for the next start of the machine: the owner has not asked for that.
for name in $services; do
  if command -v systemctl > /dev/null; then
    systemctl disable "$name" > /dev/null 2>&1
    systemctl disable "$name.socket" > /dev/null 2>&1
  else
    update-rc.d "$name" disable > /dev/null 2>&1
  fi
done
exit 0
