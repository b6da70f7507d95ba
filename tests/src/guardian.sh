# Outlives a test process to clear up after it.
# $1: the folder of its server; $2: the signal that stops the server at once.

# The other end of this pipe closes when the test is done, and when its process is gone for whatever reason.
cat >/dev/null

# A server that is only now being started writes its number into the folder before it runs. After the move it
# either stands there or can no longer be written, so no server is missed.
mv "$1" "$1.gone" || exit 1

if read -r server <"$1.gone/pid"; then
    kill -s "$2" "$server"
    tries=0
    while [ "$tries" -lt 100 ] && kill -0 "$server"; do
        sleep 0.05
        tries=$((tries + 1))
    done
    kill -s KILL "$server"
fi

rm -rf "$1.gone"
