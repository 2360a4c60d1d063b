package main

import "os"

func init() {
	os.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}
