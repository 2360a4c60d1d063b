module example.com/old

require github.com/aws/aws-sdk-go v1.44.0

replace (
	github.com/aws/aws-sdk-go v1.44.0 => github.com/aws/aws-sdk-go v1.19.1
	example.com/local => ../local
)
