package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestGet(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/latest/meta-data/instance-id" {
			t.Errorf("asked %s", r.URL.Path)
		}
		w.Write([]byte("i-0abc"))
	}))
	defer server.Close()
	resp, err := http.Get(server.URL + "/latest/meta-data/instance-id")
	if err != nil || resp.StatusCode != 200 {
		t.Fatal(err)
	}
}
