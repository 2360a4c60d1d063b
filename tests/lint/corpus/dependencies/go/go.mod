module example.com/fetcher

go 1.17

require (
	github.com/aws/aws-sdk-go v1.25.37
	github.com/newrelic/go-agent/v3 v3.9.0 // indirect
	github.com/pkg/errors v0.9.1
	github.com/awslabs/amazon-ecr-credential-helper/ecr-login v0.4.0
)

replace github.com/awslabs/amazon-ecr-credential-helper/ecr-login => github.com/awslabs/amazon-ecr-credential-helper/ecr-login v0.7.1
