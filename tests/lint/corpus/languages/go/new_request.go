package main

import (
	"net/http"
	"os"
)

var base = "http://169.254.169.254"

func role() (*http.Response, error) {
	req, err := http.NewRequest("GET", base+"/latest/meta-data/iam/security-credentials/", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Add("User-Agent", "role-check/"+os.Getenv("VERSION"))

	client := http.Client{}
	resp, err := client.Do(req)
	if err != nil || resp.StatusCode >= 400 {
		return nil, err
	}
	return resp, nil
}
