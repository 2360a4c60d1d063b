package main

import (
	"io"
	"net/http"
)

func zone() string {
	resp, _ := http.DefaultClient.Get("http://169.254.169.254/latest/meta-data/placement/availability-zone")
	b, _ := io.ReadAll(resp.Body)
	return string(b)
}
