package main

import (
	"net/http"
	"net/url"
)

func viaProxy(token string) (*http.Response, error) {
	proxy, _ := url.Parse("http://proxy.example.com:3128")
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy)}}
	req, _ := http.NewRequest("GET", "http://169.254.169.254/latest/meta-data/", nil)
	req.Header.Set("X-aws-ec2-metadata-token", token)
	// every client of this program goes through the proxy
	return client.Do(req)
}
