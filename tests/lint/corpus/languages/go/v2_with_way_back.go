package main

import (
	"io"
	"net/http"
)

const imds = "http://169.254.169.254/latest"

func token() string {
	req, _ := http.NewRequest("PUT", imds+"/api/token", nil)
	req.Header.Set("X-aws-ec2-metadata-token-ttl-seconds", "60")
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != 200 {
		return ""
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return ""
	}
	return string(b)
}

func get(path string) (*http.Response, error) {
	t := token()
	if t != "" {
		req, _ := http.NewRequest("GET", imds+path, nil)
		req.Header.Set("X-aws-ec2-metadata-token", t)
		return http.DefaultClient.Do(req)
	} else {
		return http.Get(imds + path)
	}
}

func main() {
	get("/meta-data/instance-id")
}
