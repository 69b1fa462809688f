# Counts on from what is on the volume, and shows it. A page appears whole: it is written aside and moved.
trap 'exit 0' TERM
count=0
if [ -r /data/count ]; then read -r count < /data/count; fi
while :; do
  count=$((count + 1))
  echo "$count" > /data/count.new && mv /data/count.new /data/count
  echo "<h1>page $count, every $EVERY s</h1>" > /data/index.html.new && mv /data/index.html.new /data/index.html
  sleep "$EVERY" &
  wait $!
done
