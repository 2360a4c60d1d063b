#!/bin/sh
metadata() {
  curl -s "http://169.254.169.254/latest/meta-data/$1"
}
one_line() { curl -s "http://169.254.169.254/latest/dynamic/$1" | wc -c; }
echo "id: $(metadata instance-id)"
echo "mac: $(metadata mac)"
one_line instance-identity/document
