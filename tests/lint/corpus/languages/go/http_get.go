package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
)

const metadataURL = "http://169.254.169.254/latest/meta-data/"

func get(path string) (string, error) {
	resp, err := http.Get(metadataURL + path)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", path, resp.Status)
	}
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func main() {
	id, err := get("instance-id")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(id)
}
