#!/bin/bash
# Makes a windowed Blender for tests in a folder of its own, beside this system and without changing it:
#
#     install_blender.sh DIR
#
# A Debian "sid" (Blender 5.2 LTS), or Debian 13 "trixie" (Blender 4.3) where that fails, goes into DIR/root by
# debootstrap. Run as root on Debian or a relative that uses a Debian mirror: the mirror is the one this system's own apt
# sources name. It takes about two minutes and 1.4 GB; a second run sees the marker file, written last, and returns at
# once; a run that was cut short starts from a clean folder.
#
# Two launchers come out of it:
#
#     DIR/blender ARGUMENTS...     Blender; its path is the last line on standard output
#     DIR/inside COMMAND...        any other command in there, such as Xvfb, xdotool or import
#
# Both see this system's /proc, /dev, /sys and /tmp, and every folder named in GEN3D_BIND (separated by colons) at the
# same path; environment and working folder are kept. The mounts live in a mount namespace of the command's own: they
# end with it, nothing is left to unmount, and a signal sent to the launcher's process reaches the command itself.
set -euo pipefail

readonly SUITES="sid trixie"
readonly PACKAGES="blender python3-numpy python3-cattr python3-requests python3-zstandard fonts-dejavu-core
    xvfb xdotool imagemagick libgl1-mesa-dri ca-certificates"
readonly KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
readonly RECIPE=1  # raise it when what is installed changes: folders made by an older recipe are then made anew

say() { printf '[%4ds] %s\n' "$SECONDS" "$*" >&2; }
fail() { say "ERROR: $*"; exit 1; }

# Installs what is missing here for the work itself: debootstrap, and the keys that sign Debian's archive.
prepare_host() {
    local missing=""
    command -v debootstrap >/dev/null || missing="debootstrap"
    [ -e "$KEYRING" ] || missing="$missing debian-archive-keyring"
    if [ -n "$missing" ] || [ -z "$(mirror_address)" ]; then
        say "reading this system's package lists"
        apt-get update -qq >&2
    fi
    if [ -n "$missing" ]; then
        say "installing on this system:" $missing
        DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends $missing >&2
    fi
}

# The address of the Debian archive in this system's apt sources, whatever format they are written in. Security and
# updates archives do not carry whole releases, so their suites (named "release-something") are passed over.
mirror_address() {
    apt-get indextargets --format '$(ORIGIN) $(RELEASE) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        awk '$1 == "Debian" && $2 !~ /-/ { print $3; exit }'
}

# Removes what an earlier try left. Mounts made by the launchers are not visible from here, so finding one means that
# somebody else made it; deleting through it would delete what is mounted.
remove_root() {
    if grep -q " $dir/root/" /proc/self/mounts; then
        fail "something is mounted below $dir/root; expected nothing: look with 'findmnt' and unmount it first"
    fi
    rm -rf --one-file-system "$dir/root"
}

# Fills DIR/root with one Debian suite and Blender. Its mounts are private and vanish with the subshell.
build_root() {
    local suite=$1 mirror=$2
    say "debootstrap of Debian $suite into $dir/root"
    unshare --mount --propagation private \
        debootstrap --variant=minbase --keyring="$KEYRING" "$suite" "$dir/root" "$mirror" >>"$log" 2>&1 || return 1
    # Name look-up and certificates as on this system, for networks that have their own of either.
    cp -L /etc/resolv.conf /etc/hosts "$dir/root/etc/"
    if [ -e /etc/ssl/certs/ca-certificates.crt ]; then
        cp -L /etc/ssl/certs/ca-certificates.crt "$dir/root/etc/apt/host-certificates.crt"
        echo 'Acquire::https::CaInfo "/etc/apt/host-certificates.crt";' >"$dir/root/etc/apt/apt.conf.d/50host-certificates"
    fi
    ln -s /proc/mounts "$dir/root/etc/mtab"  # Blender lists the mounted drives from it
    # No service may start in there, and only the programs are wanted, not their manuals.
    printf '#!/bin/sh\nexit 101\n' >"$dir/root/usr/sbin/policy-rc.d"
    chmod +x "$dir/root/usr/sbin/policy-rc.d"
    printf 'path-exclude=/usr/share/%s/*\n' man info doc >"$dir/root/etc/dpkg/dpkg.cfg.d/no-manuals"
    say "installing Blender and the tools beside it"
    "$dir/inside" env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends $PACKAGES \
        >>"$log" 2>&1 </dev/null || return 1
    "$dir/inside" apt-get clean >>"$log" 2>&1 || return 1
    "$dir/inside" blender --background --version >"$dir/version" 2>>"$log" || return 1
}

write_launchers() {
    cat >"$dir/inside" <<'LAUNCHER'
#!/bin/sh
# Runs a command in this folder's Debian; see the head of install_blender.sh for what it shares with this system.
set -eu
dir=$(dirname "$(readlink -f "$0")")
if [ $# -eq 0 ]; then echo "usage: $0 COMMAND [ARGUMENT...]" >&2; exit 2; fi
if [ "${GEN3D_INSIDE_NAMESPACE:-}" != "$$" ]; then
    # "exec" keeps the process number, which is how the second pass knows itself; a child started later has another.
    GEN3D_INSIDE_NAMESPACE=$$ exec unshare --mount --propagation private "$0" "$@"
fi
unset GEN3D_INSIDE_NAMESPACE
share() {
    if [ ! -d "$1" ]; then echo "$0: GEN3D_BIND names $1, which is not a folder here" >&2; exit 2; fi
    mkdir -p "$dir/root$1"
    mount --rbind "$1" "$dir/root$1"
}
share /proc; share /dev; share /sys; share /tmp
saved=$IFS; IFS=:
for folder in ${GEN3D_BIND:-}; do
    case $folder in
        "" | /tmp | /tmp/*) ;;  # already shared
        / | /usr | /bin | /sbin | /lib | /lib64 | /etc | /usr/bin | /usr/lib | /var)
            echo "$0: GEN3D_BIND names $folder, which would hide what Blender needs; name a folder of your own" >&2
            exit 2
            ;;
        /*) share "$folder" ;;
        *) echo "$0: GEN3D_BIND names $folder; expected a path from the root folder on" >&2; exit 2 ;;
    esac
done
IFS=$saved
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH LC_ALL=C.UTF-8 \
    exec chroot "$dir/root" /bin/sh -c 'cd "$0" 2>/dev/null || cd /; exec "$@"' "$PWD" "$@"
LAUNCHER
    printf '#!/bin/sh\nexec "$(dirname "$(readlink -f "$0")")/inside" blender "$@"\n' >"$dir/blender"
    chmod +x "$dir/inside" "$dir/blender"
}

[ $# -eq 1 ] || { echo "usage: $0 DIR" >&2; exit 2; }
[ "$(id -u)" -eq 0 ] || fail "started by user $(id -un); expected root, who may install packages, mount and chroot"
for command in apt-get unshare chroot flock; do
    command -v "$command" >/dev/null || fail "there is no '$command' here; expected Debian or a relative of it"
done
mkdir -p "$1"
dir=$(readlink -f "$1")
readonly dir log="$dir/install.log" marker="$dir/complete"
case $dir in
    /tmp | /tmp/* | *[[:space:]:]*) fail "$dir cannot hold it: choose a path outside /tmp, without spaces and colons" ;;
esac

exec 9>"$dir/lock"
flock --nonblock 9 || { say "another run works in $dir: waiting for it"; flock 9; }
if [ -e "$marker" ] && [ "$(cat "$marker")" = "$RECIPE" ]; then
    write_launchers  # cheap, and lets a newer copy of this script improve them
    say "$(head -n 1 "$dir/version") is already in $dir"
    echo "$dir/blender"
    exit 0
fi

prepare_host
mirror=$(mirror_address)
[ -n "$mirror" ] || fail "no Debian archive among this system's apt sources; expected one to install Debian from"
# An apt proxy configured on this system serves debootstrap and the new system, too.
eval "$(apt-config shell apt_proxy Acquire::http::Proxy)"
if [ -n "${apt_proxy:-}" ] && [ "$apt_proxy" != DIRECT ]; then export http_proxy="${http_proxy:-$apt_proxy}"; fi

: >"$log"
for suite in $SUITES; do
    rm -f "$marker"
    remove_root
    write_launchers
    if build_root "$suite" "$mirror"; then
        echo "$RECIPE" >"$marker"
        say "$(head -n 1 "$dir/version") from Debian $suite is ready in $dir ($(du -sh "$dir/root" | cut -f 1))"
        echo "$dir/blender"
        exit 0
    fi
    say "Debian $suite failed; the end of $log:"
    tail -n 15 "$log" >&2
done
fail "no suite could be installed (tried: $SUITES); see $log, and run this again after the cause is gone"
