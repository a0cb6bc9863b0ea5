#!/bin/sh
# Makes a Debian package of the name and version given, with a configuration file, and puts it into the machine's only repository.
set -eu
repository=/srv/compare/packages
mkdir -p "$repository"
tree=$(mktemp -d)
mkdir -p "$tree/DEBIAN" "$tree/etc"
echo "setting = 1" > "$tree/etc/$1.conf"
echo "/etc/$1.conf" > "$tree/DEBIAN/conffiles"
cat > "$tree/DEBIAN/control" <<END
Package: $1
Version: $2
Architecture: all
Maintainer: Nobody <nobody@example.com>
Description: made by the comparison
END
file=$1_$2_all.deb
dpkg-deb --root-owner-group --build "$tree" "$repository/$file" >/dev/null
rm -r "$tree"
{
    dpkg-deb --field "$repository/$file"
    echo "Filename: ./$file"
    echo "Size: $(stat -c %s "$repository/$file")"
    echo "SHA256: $(sha256sum "$repository/$file" | cut -d' ' -f1)"
    echo
} >> "$repository/Packages"
rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources /var/lib/apt/lists/*
echo "deb [trusted=yes] file://$repository ./" > /etc/apt/sources.list.d/compare.list
apt-get update -qq
