#!/bin/sh
# A Debian package of this tree: build.sh PYTHON TARGET_DIRECTORY. PYTHON has uv and click-man; what is installed is for
# /usr/bin/python3 of the machine that builds.
set -eu
python=$1
target=$(mkdir -p "$2" && cd "$2" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../.." && pwd)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
tree=$root/tree

"$python" -m build --quiet --wheel --no-isolation --outdir "$root" "$project" >/dev/null
wheel=$(echo "$root"/*.whl)
version=$("$python" -c 'import loganon; print(loganon.__version__)')
minor=$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
next=$(/usr/bin/python3 -c 'import sys; print("%d.%d" % (sys.version_info[0], sys.version_info[1] + 1))')

install -d -m 0755 "$tree/DEBIAN" "$tree/opt/loganon/lib" "$tree/usr/bin" "$tree/etc/loganon" \
    "$tree/usr/lib/systemd/system" "$tree/usr/share/man/man1" "$tree/usr/share/bash-completion/completions" \
    "$tree/usr/share/zsh/vendor-completions" "$tree/usr/share/fish/vendor_completions.d" "$tree/usr/share/doc/loganon/examples"
"$python" -m uv pip compile --quiet --generate-hashes --no-header --no-emit-index-url --constraint "$project/requirements.lock" \
    --python-version "$minor" --output-file "$root/locked.txt" "$project/pyproject.toml" >/dev/null
"$python" -m uv pip install --quiet --python /usr/bin/python3 --target "$tree/opt/loganon/lib" --require-hashes \
    --requirement "$root/locked.txt"
"$python" -m uv pip install --quiet --python /usr/bin/python3 --target "$tree/opt/loganon/lib" --no-deps "$wheel"
rm -rf "$tree/opt/loganon/lib/bin"

install -m 0755 "$here/loganon" "$tree/usr/bin/loganon"
install -m 0640 "$here/loganon.toml" "$tree/etc/loganon/loganon.toml"
install -m 0644 "$project"/configs/systemd/loganon.* "$tree/usr/lib/systemd/system/"
install -m 0644 "$project"/configs/logrotate/* "$project/configs/systemd/remove-source.conf" "$tree/usr/share/doc/loganon/examples/"
install -m 0644 "$project/LICENSE" "$tree/usr/share/doc/loganon/copyright"
"$python" "$project/packaging/manual.py" "$tree/usr/share/man/man1"
gzip -9n "$tree"/usr/share/man/man1/*.1
for shell in bash zsh fish; do
    _LOGANON_COMPLETE=${shell}_source "$python" -m loganon > "$root/$shell"
done
install -m 0644 "$root/bash" "$tree/usr/share/bash-completion/completions/loganon"
install -m 0644 "$root/zsh" "$tree/usr/share/zsh/vendor-completions/_loganon"
install -m 0644 "$root/fish" "$tree/usr/share/fish/vendor_completions.d/loganon.fish"

sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$(dpkg --print-architecture)/" -e "s/@PYTHON@/$minor/" \
    -e "s/@NEXT@/$next/" "$here/control.in" > "$tree/DEBIAN/control"
echo /etc/loganon/loganon.toml > "$tree/DEBIAN/conffiles"
for script in postinst prerm postrm; do
    install -m 0755 "$here/$script" "$tree/DEBIAN/$script"
done
dpkg-deb --root-owner-group -Zzstd -z3 --build "$tree" "$target" >/dev/null
du -sm "$tree/opt/loganon" | awk '{print "installed: " $1 " MiB"}'
echo "$target/loganon_${version}_$(dpkg --print-architecture).deb"
