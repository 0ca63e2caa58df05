#!/bin/sh
# Unpacks the distribution's Docker engine into a directory, without installing
# it: for Debian and what is made of it. Usage: $0 DIRECTORY
set -eu
to=$1
packages="docker.io containerd runc"
command -v apt-get >/dev/null && command -v dpkg >/dev/null || {
	echo "$0: no apt-get and dpkg here to get Debian's docker.io with" >&2
	exit 1
}
mkdir -p "$(dirname "$to")"
new=$(mktemp -d "$to.XXXXXX")
trap 'rm -rf "$new"' EXIT
mkdir "$new/debs" "$new/root"

# download takes the user that apt would else change to: it has no right here.
download() { (cd "$new/debs" && apt-get download -qq -o APT::Sandbox::User=root "$@"); }
unpack() {
	for deb in "$new"/debs/*.deb; do
		dpkg -x "$deb" "$new/root"
		rm "$deb"
	done
}
libraries() { echo "$new"/root/lib/*-linux-* "$new"/root/usr/lib/*-linux-* | tr ' ' ':'; }
lacking() {
	LD_LIBRARY_PATH=$(libraries) ldd "$new"/root/usr/sbin/dockerd "$new"/root/usr/sbin/runc "$new"/root/usr/bin/containerd* 2>&1 | grep 'not found'
}
# missing names the libraries below the packages that are not installed.
missing() {
	apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances $packages |
		grep '^lib' | sort -u | while read -r p; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || echo "$p"
	done
}

# Without lists, or with old ones, there is nothing to download.
download $packages 2>/dev/null || { apt-get update -qq && download $packages; }
unpack
if lacking >/dev/null; then
	download $(missing)
	unpack
	if lacking >&2; then exit 1; fi
fi
rm -rf "$to"
mv "$new/root" "$to"
