#!/usr/bin/env bash
# Tries rocksyd.service in a virtual machine: a minimal Debian 12 with systemd, the packed package, inside.sh.
# As root:  apt-get install qemu-system-x86 mmdebstrap e2fsprogs
#           deploy/vm/try.sh [FOLDER]          (2 GB, kept, so that the second time is fast)
# ACCEL=kvm uses /dev/kvm; the default emulates the processor, which takes five minutes on an idle machine and works anywhere.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
project=$(cd "$here/../.." && pwd)
folder=${1:-/var/tmp/rocksy-vm}
mkdir -p "$folder" && cd "$folder"

accel='-accel tcg,thread=multi -cpu max'
[ "${ACCEL:-tcg}" = kvm ] && accel='-accel kvm -cpu host'
[ -f root.tar ] || mmdebstrap --mode=root --variant=minbase \
  --include=systemd,systemd-sysv,dbus,udev,kmod,procps,perl,netcat-openbsd,linux-image-cloud-amd64 \
  bookworm root.tar

if [ ! -d root ]; then
  mkdir root && tar -xf root.tar -C root --exclude='./dev/*'
fi

rm -rf pack root/opt/rocksy root/etc/rocksy && mkdir pack
(cd "$project" && npm pack --silent --pack-destination "$folder/pack" >/dev/null)
release=root/opt/rocksy/releases/1
mkdir -p "$release" root/etc/rocksy
echo '{ "private": true, "allowScripts": { "node": true, "koffi": true } }' >"$release/package.json"
npm install --prefix "$release" --omit=dev --no-fund --no-audit --silent "$folder"/pack/rocksy-*.tgz
cp -r "$release" root/opt/rocksy/releases/2
ln -sfn releases/1 root/opt/rocksy/current

shipped=$release/node_modules/rocksy/deploy
cp "$shipped/rocksyd.yaml" root/etc/rocksy/
cp "$shipped/rocksyd.service" root/etc/systemd/system/
cp "$here/inside.sh" root/root/
cat >root/etc/systemd/system/try.service <<'UNIT'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/bash /root/inside.sh
ExecStopPost=/bin/systemctl --no-block poweroff
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
[Install]
WantedBy=graphical.target
UNIT
mkdir -p root/etc/systemd/system/graphical.target.wants
ln -sf ../try.service root/etc/systemd/system/graphical.target.wants/try.service
ln -sf /lib/systemd/system/graphical.target root/etc/systemd/system/default.target
ln -sf /dev/null root/etc/systemd/system/serial-getty@ttyS0.service
echo '/dev/vda / ext4 defaults 0 1' >root/etc/fstab

rm -f disk.img && truncate -s 3G disk.img && mke2fs -q -t ext4 -d root disk.img
# shellcheck disable=SC2086 # words, meant as such
timeout 1800 qemu-system-x86_64 $accel -smp 2 -m 2048 -nographic -no-reboot \
  -kernel root/boot/vmlinuz-* -initrd root/boot/initrd.img-* \
  -append 'root=/dev/vda rw console=ttyS0 quiet loglevel=0 systemd.show_status=0' \
  -drive file=disk.img,format=raw,if=virtio -nic none </dev/null | sed -u 's/\r//' | tee console.log
grep -q '^ALL PASSED' console.log
