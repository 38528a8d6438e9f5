#!/bin/sh
# Runs a command beside an empty object store, whose URL it has as
# S3_TEST_SERVER: s3-store.sh minio|rclone COMMAND…
set -eu
store=$1
shift
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || { kill "$server"; wait "$server"; } || true; rm -r "$folder"' EXIT
trap 'exit 1' HUP INT TERM # which end a shell without the line above
mkdir "$folder/store"
case $store in
minio)
	export MINIO_ROOT_USER=a-key MINIO_ROOT_PASSWORD=not-so-secret MINIO_UPDATE=off MINIO_BROWSER=off
	.bin/minio server --quiet --address 127.0.0.1:19110 --certs-dir "$folder" "$folder/store" &
	;;
rclone)
	.bin/rclone serve s3 --addr 127.0.0.1:19110 --auth-key a-key,not-so-secret --config /dev/null --cache-dir "$folder" "$folder/store" &
	;;
*)
	echo "s3-store.sh knows minio and rclone" >&2
	exit 2
	;;
esac
server=$!
echo "on $store:"
S3_TEST_SERVER=http://127.0.0.1:19110 "$@"
kill -0 "$server" # or another program had the address, and answered
