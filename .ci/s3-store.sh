#!/bin/sh
# Runs a command beside an empty object store, whose URL it has as
# S3_TEST_SERVER: s3-store.sh minio|rclone COMMAND…
set -eu
store=$1
shift
folder=$(mktemp -d)
case $store in
minio)
	export MINIO_ROOT_USER=a-key MINIO_ROOT_PASSWORD=not-so-secret MINIO_UPDATE=off MINIO_BROWSER=off
	.bin/minio server --quiet --address 127.0.0.1:19110 "$folder" &
	;;
rclone)
	.bin/rclone serve s3 --addr 127.0.0.1:19110 --auth-key a-key,not-so-secret --config /dev/null "$folder" &
	;;
*)
	echo "s3-store.sh knows minio and rclone" >&2
	exit 2
	;;
esac
server=$!
trap 'kill "$server"; wait "$server" || true; rm -r "$folder"' EXIT
until curl -s -o /dev/null http://127.0.0.1:19110/; do
	kill -0 "$server" # or it never will be there
	sleep 0.2
done
echo "on $store:"
S3_TEST_SERVER=http://127.0.0.1:19110 "$@"
