# Brings the data to the form of $VERSION: one line for each version it went through.
set -e
if [ "$BROKEN" = true ]; then
  echo "cannot reach version $VERSION" >&2
  exit 1
fi
echo "<p>version $VERSION</p>" >> /data/history.html
echo "<h1>data of version $VERSION</h1>" > /data/index.html.new
mv /data/index.html.new /data/index.html
echo "at version $VERSION"
