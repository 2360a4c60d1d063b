package main

import "net/http"

func onGCE() bool {
	req, _ := http.NewRequest("GET", "http://169.254.169.254/computeMetadata/v1/project/project-id", nil)
	req.Header.Set("Metadata-Flavor", "Google")
	res, err := http.DefaultClient.Do(req)
	return err == nil && res.Header.Get("Metadata-Flavor") == "Google"
}
